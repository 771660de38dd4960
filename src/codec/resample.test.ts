import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { Resampler } from "./resample.ts";

const outRate = 48_000;
const seconds = 0.2;

function sine(frequency: number, rate: number): Float32Array {
  const step = (2 * Math.PI * frequency) / rate;
  return Float32Array.from({ length: Math.round(rate * seconds) }, (_, at) => Math.sin(step * at));
}

function resampled(input: Float32Array, from: number, to: number): Float32Array {
  const resampler = new Resampler(from, to);
  const [most, rest] = [resampler.push(input), resampler.end()];
  const out = new Float32Array(most.length + rest.length);
  out.set(most);
  out.set(rest, most.length);
  return out;
}

/** Power of the middle of a signal, less `expected`, in dB of a full sine. */
function powerDb(signal: Float32Array, expected: (at: number) => number = () => 0): number {
  const [from, to] = [Math.floor(signal.length / 5), Math.floor((signal.length * 4) / 5)];
  let sum = 0;
  for (let at = from; at < to; at++) sum += (signal[at]! - expected(at)) ** 2;
  return 10 * Math.log10((2 * sum) / (to - from));
}

/** Common rates, and some whose ratio to 48 kHz has many phases. */
const rates = [8_000, 11_025, 16_000, 22_050, 44_100, 44_056, 88_200, 96_000, 191_999, 192_000];

describe("resampling to 48 kHz", () => {
  test.each(rates)(
    "from %d Hz lets pass what is below 0.45 of the lower rate, in time and in level",
    (rate) => {
      const lower = Math.min(rate, outRate);
      for (const part of [0.001, 0.05, 0.2, 0.35, 0.44, 0.45]) {
        const frequency = part * lower;
        const out = resampled(sine(frequency, rate), rate, outRate);
        const step = (2 * Math.PI * frequency) / outRate;
        // The same sine at the other rate: every image, every alias and every error of level or delay is in the rest.
        expect(powerDb(out, (at) => Math.sin(step * at))).toBeLessThan(-80);
        expect(Math.abs(powerDb(out) - powerDb(sine(frequency, outRate)))).toBeLessThan(0.1);
      }
    },
  );

  test.each(rates.filter((rate) => rate > outRate))("from %d Hz suppresses aliasing", (rate) => {
    for (const frequency of [0.5, 0.51, 0.6, 0.75, 0.9].map((part) => part * outRate)) {
      expect(powerDb(resampled(sine(frequency, rate), rate, outRate))).toBeLessThan(-80);
    }
  });

  test("keeps a constant input constant, except for the filter length at both ends", () => {
    const out = resampled(new Float32Array(4_000).fill(0.5), 44_100, outRate);
    for (const sample of out.subarray(200, -200)) expect(Math.abs(sample - 0.5)).toBeLessThan(1e-6);
  });

  test("returns the same samples for the same rate, within the pass band", () => {
    const input = sine(1_000, outRate);
    const out = resampled(input, outRate, outRate);
    expect(out.length).toBe(input.length);
    expect(powerDb(out, (at) => input[at]!)).toBeLessThan(-80);
  });

  test("keeps the duration, and returns the same samples however the input is split", () => {
    const input = Float32Array.from({ length: 3_000 }, (_, at) => Math.sin(at * at * 1e-4));
    const cuts = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 12 });
    fc.assert(
      fc.property(
        fc.constantFrom(...rates),
        cuts,
        fc.integer({ min: 0, max: 3_000 }),
        (rate, lengths, length) => {
          const whole = resampled(input.subarray(0, length), rate, outRate);
          expect(whole.length).toBe(Math.ceil((length * outRate) / rate));
          const resampler = new Resampler(rate, outRate);
          const pieces: number[] = [];
          let at = 0;
          for (const piece of [...lengths, length]) {
            const end = Math.min(length, at + piece);
            pieces.push(...resampler.push(input.subarray(at, end)));
            at = end;
          }
          pieces.push(...resampler.end());
          expect(pieces).toEqual([...whole]);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("refuses invalid rates", () => {
    for (const rate of [0, 999, 44_100.5, NaN, 384_001]) {
      expect(() => new Resampler(rate, outRate)).toThrow(RangeError);
    }
  });
});
