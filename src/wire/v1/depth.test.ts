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

test("the depth of a value is measured exactly, and a truncated value has none", () => {
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

/** Each form of a value with a head: its first byte, and how many zeros make it whole. */
const forms: [first: number, more: number][] = [
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
  [0xd4, 2],
  [0xd5, 3],
  [0xd6, 5],
  [0xd7, 9],
  [0xd8, 17],
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xc7, 2],
  [0xc8, 3],
  [0xc9, 5],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
  [0xdc, 2],
  [0xdd, 4],
  [0xde, 2],
  [0xdf, 4],
];

test.each(forms)("the empty form %i has %i bytes behind it", (first, more) => {
  const bytes = Uint8Array.of(0x92, first, ...new Uint8Array(more), 0xc1);
  expect(isShallow(bytes, 1)).toBe(false);
  bytes[bytes.length - 1] = 0xc0;
  expect(isShallow(bytes, 1)).toBe(true);
  expect(isShallow(bytes.subarray(0, -1), 1)).toBe(false);
});

test("any value that the decoder accepts is accepted here", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40, size: "max" }), (bytes) => {
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
