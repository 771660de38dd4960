import { expect, test } from "bun:test";
import fc from "fast-check";
import { requestedPart, wholeWav } from "./range.ts";

const total = 44 + 0xffffffff;
const partOf = (range: string) => requestedPart(new Headers({ range }));

test("a range within the largest WAV file is a part of it", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.nat(2 ** 40), (from, bytes) => {
      const part = partOf(`bytes=${from}-${from + bytes}`);
      if (from >= total) expect(part).toBe("unsatisfiable");
      else expect(part).toEqual({ from, bytes: Math.min(from + bytes, total - 1) - from + 1 });
    }),
  );
  expect(partOf("Bytes=5-")).toEqual({ from: 5, bytes: total - 5 });
  expect(requestedPart(new Headers())).toBe(wholeWav);
});

test("what is no range is ignored", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."bytes= -,0123456789") }), (range) => {
      const part = partOf(range);
      if (!/^bytes=\d+-\d*$/.test(range.trim())) expect(part).toBe(wholeWav);
    }),
  );
});
