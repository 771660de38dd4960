import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { noise } from "../testing/fixtures/client.ts";
import { sha256 } from "../testing/harness/bytes.ts";
import { bunPlatform } from "./transport/bun.ts";
import { StreamDigests } from "./digests.ts";

test("bytes that are passed again are hashed once, wherever they begin", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2_000 }),
      fc.array(fc.tuple(fc.nat(2_000), fc.nat(500))),
      (size, passes) => {
        const bytes = noise(size);
        const digests = new StreamDigests(bunPlatform, ["sha256"]);
        for (const [back, length] of passes) {
          const offset = Math.max(0, digests.positionBytes - back);
          digests.update(offset, bytes.subarray(offset, offset + length));
        }
        digests.update(digests.positionBytes, bytes.subarray(digests.positionBytes));
        expect(digests.values()).toEqual({ sha256: sha256(bytes) });
      },
    ),
  );
});

test("a gap throws", () => {
  const digests = new StreamDigests(bunPlatform, ["sha256"]);
  expect(() => digests.update(1, new Uint8Array(1))).toThrow("a gap of 1 bytes at 0");
});

test("the result has each requested digest, and no other", () => {
  expect(new StreamDigests(bunPlatform, []).values()).toEqual({});
  const both = new StreamDigests(bunPlatform, ["md5", "sha256", "md5"]);
  both.update(0, new TextEncoder().encode("abc"));
  expect(both.values()).toEqual({
    md5: "900150983cd24fb0d6963f7d28e17f72",
    sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  });
});
