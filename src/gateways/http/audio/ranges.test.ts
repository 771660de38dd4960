import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { maxRangeParts, maxRequestedRanges } from "../../../base/limits/audio-http.ts";
import { type ByteRange, contentRange, selectRanges } from "./ranges.ts";

const size = 1000;

describe("a Range header of 1000 bytes selects", () => {
  test.each<[string, string]>([
    ["bytes=0-0", "0+1"],
    ["bytes=0-499", "0+500"],
    ["bytes=500-", "500+500"],
    ["bytes=-1", "999+1"],
    ["bytes=-1000", "0+1000"],
    ["bytes=-5000", "0+1000"],
    ["bytes=999-999", "999+1"],
    ["bytes=999-1000", "999+1"],
    ["bytes=0-99999999999999999999999999", "0+1000"],
    ["bytes=00000000000000000000001-1", "1+1"],
    ["bytes=-99999999999999999999999999", "0+1000"],
    ["BYTES=1-2", "1+2"],
    ["bytes= 1-2 ", "1+2"],
    ["bytes=0-0,-1", "0+1 999+1"],
    ["bytes=-1,0-0", "999+1 0+1"],
    ["bytes=0-0 ,\t2-2", "0+1 2+1"],
    ["bytes=,0-0,,", "0+1"],
    ["bytes=0-0,5000-", "0+1"],
    // Touching and overlapping ranges are merged.
    ["bytes=0-9,10-19", "0+20"],
    ["bytes=10-19,0-9", "0+20"],
    ["bytes=0-,5-10", "0+1000"],
    ["bytes=0-100,50-150,140-160", "0+161"],
    ["bytes=500-600,0-9,550-650", "0+10 500+151"],
  ])("%s: %s", (header, expected) => {
    expect(describeSelection(selectRanges(header, size))).toBe(expected);
  });

  test.each([
    "",
    "bytes",
    "bytes=",
    "bytes=,",
    "bytes=-",
    "bytes=5-2",
    "bytes=0-0,5-2",
    "bytes=a-b",
    "bytes=0x10-0x20",
    "bytes=1.5-2",
    "bytes=+1-2",
    "bytes=--1",
    "bytes=1-2-3",
    "bytes=1 - 2",
    "bytes=0-0;1-1",
    "bytes =0-0",
    "items=0-5",
    "bytes=0-0, items=1-1",
    "bytes=0-0\u0000",
    "bytes=٠-٩",
  ])("all of them, since it is invalid: %j", (header) => {
    expect(selectRanges(header, size)).toBe("whole");
  });

  test.each(["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=5000-,-0", "bytes=99999999999999999999-"])(
    "nothing: %s",
    (header) => {
      expect(selectRanges(header, size)).toBe("unsatisfiable");
    },
  );

  test("all of them, if it has many parts, and if it has very many ranges", () => {
    expect(selectRanges(spread(maxRangeParts, 2), size)).toHaveLength(maxRangeParts);
    expect(selectRanges(spread(maxRangeParts + 1, 2), size)).toBe("whole");
    expect(selectRanges(spread(maxRequestedRanges, 0), size)).toEqual([{ offset: 0, length: 1 }]);
    expect(selectRanges(spread(maxRequestedRanges + 1, 0), size)).toBe("whole");
    expect(selectRanges(`bytes=${"0-0,".repeat(100_000)}`, size)).toBe("whole");
  });
});

test("without a header, all is selected; of nothing, the last bytes are all of it", () => {
  expect(selectRanges(null, size)).toBe("whole");
  expect(selectRanges("bytes=0-", 0)).toBe("unsatisfiable");
  expect(selectRanges("bytes=-5", 0)).toBe("whole");
  expect(selectRanges("bytes=-0", 0)).toBe("unsatisfiable");
});

test("Content-Range has the last byte, and the size where it is known", () => {
  expect(contentRange({ offset: 5, length: 10 }, 100)).toBe("bytes 5-14/100");
  expect(contentRange({ offset: 0, length: 1 }, undefined)).toBe("bytes 0-0/*");
});

test("the selected ranges are exactly the bytes that any of the ranges has, each of them once", () => {
  const spec = fc.oneof(
    fc.tuple(fc.nat(40), fc.nat(40)).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
    fc.nat(40).map((first) => ({ first, last: undefined })),
    fc.nat(40).map((last) => ({ first: undefined, last })),
  );
  fc.assert(
    fc.property(
      fc.array(spec, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 30 }),
      (specs, length) => {
        const header = `bytes=${specs.map(({ first, last }) => `${first ?? ""}-${last ?? ""}`).join(",")}`;
        const wanted = new Set<number>();
        for (const { first, last } of specs) {
          const from = first ?? Math.max(0, length - last!);
          const to = first === undefined ? length - 1 : Math.min(last ?? length - 1, length - 1);
          for (let at = from; at <= to; at++) wanted.add(at);
        }
        const selection = selectRanges(header, length);
        if (wanted.size === 0) return expect(selection).toBe("unsatisfiable");
        const got = (selection as ByteRange[]).flatMap((range) =>
          Array.from({ length: range.length }, (_, index) => range.offset + index),
        );
        expect(got.toSorted((a, b) => a - b)).toEqual([...wanted].toSorted((a, b) => a - b));
      },
    ),
  );
});

test("whatever the header holds, the answer is within the audio", () => {
  const text = fc.string({ unit: fc.constantFrom(..."bytes=-,0123456789 \t"), maxLength: 40 });
  fc.assert(
    fc.property(text, fc.nat(2000), (tail, length) => {
      const selection = selectRanges(`bytes=${tail}`, length);
      if (typeof selection === "string") return;
      expect(selection.length).toBeGreaterThan(0);
      for (const range of selection) {
        expect(range.length).toBeGreaterThan(0);
        expect(range.offset).toBeGreaterThanOrEqual(0);
        expect(range.offset + range.length).toBeLessThanOrEqual(length);
      }
    }),
  );
});

function describeSelection(selection: ReturnType<typeof selectRanges>): string {
  if (typeof selection === "string") return selection;
  return selection.map(({ offset, length }) => `${offset}+${length}`).join(" ");
}

function spread(count: number, step: number): string {
  return `bytes=${Array.from({ length: count }, (_, index) => `${index * step}-${index * step}`).join(",")}`;
}
