import { expect, test } from "bun:test";
import fc from "fast-check";
import { crc32 } from "node:zlib";
import { portableCrc32 } from "./crc32.ts";

test("the CRC of the nine digits has the published check value", () => {
  expect(portableCrc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  expect(portableCrc32(new Uint8Array(0))).toBe(0);
});

test("the portable CRC equals the native one, for any bytes at any position of a buffer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400, size: "max" }), fc.nat(20), (bytes, from) => {
      const view = bytes.subarray(Math.min(from, bytes.length));
      expect(portableCrc32(view)).toBe(crc32(view));
    }),
    { numRuns: 500 },
  );
});
