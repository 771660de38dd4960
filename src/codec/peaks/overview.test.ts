import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { Overview } from "./overview.ts";

describe("an overview", () => {
  test("has the extremes of every group of pixels, and never more pixels than its limit", () => {
    const value = fc.integer({ min: -32_768, max: 32_767 });
    const property = fc.property(
      fc.constantFrom(1, 2),
      fc.integer({ min: 1, max: 5 }),
      fc.array(value, { minLength: 4, maxLength: 600 }),
      (channels, factor, raw) => {
        const width = 2 * channels;
        const values = Int16Array.from(raw.slice(0, raw.length - (raw.length % width)));
        const overview = new Overview(channels, 16, factor);
        for (let at = 0; at < values.length; at += width) overview.add(values, at);
        const merged = overview.samplesPerPixel / 256;
        const found = overview.values();
        const pixels = values.length / width;
        expect(found.length).toBe(Math.ceil(pixels / merged) * width);
        expect(found.length / width).toBeLessThanOrEqual(16);
        for (let at = 0; at < found.length; at++) {
          const group = Math.floor(at / width);
          const own = Array.from(
            { length: merged },
            (_, each) => values[(group * merged + each) * width + (at % width)]!,
          );
          const known = own.filter((each) => each !== undefined);
          expect(found[at]).toBe(at % 2 === 0 ? Math.min(...known) : Math.max(...known));
        }
      },
    );
    fc.assert(property);
  });

  test("begins anew when it is cleared", () => {
    const overview = new Overview(1, 2, 1);
    for (let pixel = 0; pixel < 9; pixel++) overview.add(Int16Array.of(-5, 5), 0);
    expect(overview.samplesPerPixel).toBe(8 * 256);
    overview.clear();
    overview.add(Int16Array.of(-1, 1), 0);
    expect(overview.samplesPerPixel).toBe(256);
    expect([...overview.values()]).toEqual([-1, 1]);
  });
});
