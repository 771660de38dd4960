import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { Reassembly } from "./reassembly.ts";

function asked(ranges: Reassembly): [number, number][] {
  const all: [number, number][] = [];
  for (let range = ranges.next(); range !== undefined; range = ranges.next()) {
    all.push([range.offset, range.length]);
  }
  return all;
}

describe("the ranges of a download", () => {
  test("fill the window, and end at the end of the stream", () => {
    const ranges = new Reassembly(5, 27, 10, 8);
    expect(asked(ranges)).toEqual([
      [5, 10],
      [15, 10],
      [25, 2],
    ]);
  });

  test("request the gap first after a short answer, and keep bytes that arrived early", () => {
    const ranges = new Reassembly(0, 40, 10, 2);
    expect(asked(ranges)).toEqual([
      [0, 10],
      [10, 10],
    ]);
    expect(ranges.answer(new Uint8Array(4))).toBe("short");
    expect(ranges.take()?.length).toBe(4);
    expect(asked(ranges)).toEqual([[4, 6]]);
    expect(ranges.answer(new Uint8Array(10))).toBe("whole");
    expect(ranges.take()).toBeUndefined();
    expect(ranges.answer(new Uint8Array(6))).toBe("whole");
    expect(ranges.take()?.length).toBe(6);
    expect(ranges.take()?.length).toBe(10);
  });

  test("never run further ahead than the window", () => {
    const ranges = new Reassembly(0, 1_000, 10, 3);
    for (let turn = 0; turn < 20; turn++) {
      for (const [offset, length] of asked(ranges)) expect(offset + length).toBeLessThanOrEqual(30);
      ranges.answer(new Uint8Array(turn % 3 === 0 ? 0 : 9));
    }
  });

  test("drop bytes that were not requested, and report an answer without a GET", () => {
    const ranges = new Reassembly(0, 10, 10, 1);
    expect(ranges.answer(new Uint8Array(1))).toBe("unrequested");
    ranges.next();
    expect(ranges.answer(new Uint8Array(15))).toBe("whole");
    expect(ranges.take()?.length).toBe(10);
    expect(ranges.done).toBe(true);
  });

  test("of an empty stream are done at once", () => {
    const ranges = new Reassembly(7, 7, 10, 4);
    expect(ranges.done).toBe(true);
    expect(asked(ranges)).toEqual([]);
  });

  test("reassemble any answers in order, each byte once", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2_000 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 9 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 400 })),
        (size, getBytes, window, answers) => {
          const ranges = new Reassembly(0, size, getBytes, window);
          const queue: [number, number][] = [];
          const got: number[] = [];
          while (!ranges.done) {
            queue.push(...asked(ranges));
            expect(queue.length).toBeLessThanOrEqual(window);
            const [offset, length] = queue.shift() ?? [0, 0];
            const given = Math.min(length, answers.next().value);
            ranges.answer(Uint8Array.from({ length: given }, (_, i) => (offset + i) & 0xff));
            for (let bytes = ranges.take(); bytes !== undefined; bytes = ranges.take()) got.push(...bytes);
          }
          expect(got).toEqual(Array.from({ length: size }, (_, i) => i & 0xff));
        },
      ),
    );
  });
});
