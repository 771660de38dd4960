import { decode, encode } from "@msgpack/msgpack";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { isShallow } from "./depth.ts";

/** Arrays and maps around the innermost value; an empty one does not count. */
function depthOf(value: unknown): number {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return 0;
  const inner = Object.values(value);
  return inner.length === 0 ? 0 : 1 + Math.max(...inner.map(depthOf));
}

const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.oneof(
      fc.maxSafeInteger(),
      fc.double(),
      fc.string({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(null, true, new Date(0), "x".repeat(70_000), new Uint8Array(70_000)),
    ),
    fc.array(tie("tree"), { maxLength: 20 }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), tie("tree"), { maxKeys: 20 }),
  ),
}));

test("a value is as deep as it is, and one cut off is no value", () => {
  fc.assert(
    fc.property(tree, fc.nat(), (value, at) => {
      const bytes = encode(value);
      const depth = depthOf(value);
      expect(isShallow(bytes, depth)).toBe(true);
      if (depth > 0) expect(isShallow(bytes, depth - 1)).toBe(false);
      expect(isShallow(bytes.subarray(0, at % bytes.length), 100)).toBe(false);
    }),
    { numRuns: 60 },
  );
});

test("whatever a decoder takes, this takes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
      let value: unknown;
      try {
        value = decode(bytes);
      } catch (error) {
        // No MessagePack: nothing to compare with.
        if (error instanceof Error) return;
        throw error;
      }
      fc.pre(value !== undefined);
      expect(isShallow(bytes, 40)).toBe(true);
    }),
    { numRuns: 600 },
  );
});
