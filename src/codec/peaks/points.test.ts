import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { PeakPoints } from "./points.ts";

const ramp = (pixels: number, channels = 1) => ({
  sampleRate: 1000,
  samplesPerPixel: 100,
  channels,
  data: Int16Array.from({ length: 2 * channels * pixels }, (_, at) => (at % 2 === 0 ? -at : at)),
});

describe("points", () => {
  test("merge the pixels in them, of all channels", () => {
    const points = new PeakPoints(3, 0.2);
    points.add(ramp(5, 2), 0);
    expect([...points.values]).toEqual([-6, 7, -14, 15, -18, 19].map((value) => value));
    expect(points.gaps()).toEqual([]);
  });

  test("take a sound that begins before them, and one that ends after them", () => {
    const points = new PeakPoints(2, 0.1);
    points.add(ramp(9), -0.3);
    expect([...points.values]).toEqual([-6, 7, -8, 9]);
  });

  test("have gaps where there is no sound", () => {
    const points = new PeakPoints(8, 0.1);
    expect(points.gaps()).toEqual([[0, 8]]);
    points.add(ramp(2), 0.1);
    points.add(ramp(1), 0.5);
    expect(points.gaps()).toEqual([
      [0, 1],
      [3, 5],
      [6, 8],
    ]);
    expect([...points.values.subarray(0, 2)]).toEqual([0, 0]);
  });

  test("miss no peak, whatever lies across their borders", () => {
    const property = fc.property(
      fc.double({ min: -3, max: 3, noNaN: true }),
      fc.double({ min: 0.01, max: 2, noNaN: true }),
      fc.integer({ min: 1, max: 40 }),
      (start, pointSeconds, pixels) => {
        const points = new PeakPoints(20, pointSeconds);
        const sound = ramp(pixels);
        points.add(sound, start);
        for (let pixel = 0; pixel < pixels; pixel++) {
          const middle = Math.floor((start + (pixel + 0.5) * 0.1) / pointSeconds);
          if (middle < 0 || middle >= 20) continue;
          expect(points.values[2 * middle]).toBeLessThanOrEqual(sound.data[2 * pixel]!);
          expect(points.values[2 * middle + 1]).toBeGreaterThanOrEqual(sound.data[2 * pixel + 1]!);
        }
      },
    );
    fc.assert(property);
  });
});
