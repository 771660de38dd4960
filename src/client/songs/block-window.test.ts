import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { maxMissingRanges } from "../../wire/reliable-udp.ts";
import { BlockWindow } from "./block-window.ts";

/** A block whose only byte is its number. */
const block = (number: number): Uint8Array => Uint8Array.of(number);

test("returns each block once and in order, whatever the order of arrival", () => {
  const orders = fc
    .integer({ min: 1, max: 60 })
    .chain((blocks) =>
      fc.tuple(fc.constant(blocks), fc.array(fc.nat({ max: blocks + 5 }), { maxLength: 300 })),
    );
  fc.assert(
    fc.property(orders, ([blocks, order]) => {
      const window = new BlockWindow(blocks, 64);
      const handed: number[] = [];
      const all = [...order, ...Array.from({ length: blocks }, (_, number) => number)];
      for (const number of all) handed.push(...window.add(number, block(number)).map(([byte]) => byte!));
      expect(handed).toEqual(Array.from({ length: blocks }, (_, number) => number));
      expect(window.isWhole).toBe(true);
      expect(window.missing()).toEqual([]);
    }),
  );
});

test("reports the missing blocks from the first", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: 49 })), (came) => {
      const window = new BlockWindow(50, 50);
      for (const number of came) window.add(number, block(number));
      const seen = Math.max(-1, ...came) + 1;
      expect(window.seen).toBe(seen);
      const missing = window
        .missing()
        .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at));
      const expected = Array.from({ length: seen }, (_, number) => number).filter(
        (number) => !came.includes(number),
      );
      expect(missing).toEqual(expected);
    }),
  );
});

test("keeps no block above the window, and reports no more ranges than an ACK holds", () => {
  const window = new BlockWindow(10_000, 1000);
  expect(window.add(1000, block(0))).toEqual([]);
  expect(window.seen).toBe(0);
  for (let number = 1; number < 1000; number += 2) window.add(number, block(0));
  expect(window.missing()).toHaveLength(maxMissingRanges);
  expect(window.missing()[0]).toEqual({ from: 0, to: 1 });
});
