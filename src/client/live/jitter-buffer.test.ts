import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { JitterBuffer } from "./jitter-buffer.ts";

const rate = 8_000;
const tone = (from: number, samples: number) =>
  Float32Array.from({ length: samples }, (_, at) => Math.sin((2 * Math.PI * 200 * (from + at)) / rate));

function read(buffer: JitterBuffer, samples: number): Float32Array {
  const out = new Float32Array(samples);
  buffer.read([out]);
  return out;
}

/** Plays a device whose clock is off, with frames of 20 ms that come late by up to `jitterMs`. */
function play(seconds: number, ppm: number, lateMs: () => number) {
  const buffer = new JitterBuffer(rate);
  const frame = 160;
  let sent = 0;
  let nextMs = 0;
  for (let ms = 0; ms < seconds * 1000; ms += 16) {
    while (nextMs <= ms) {
      buffer.push([tone(sent, frame)]);
      sent += frame;
      nextMs = Math.max(nextMs, ((sent / rate) * 1000) / (1 + ppm / 1_000_000) + lateMs());
    }
    read(buffer, (rate * 16) / 1000);
  }
  return buffer.state;
}

describe("a jitter buffer", () => {
  test("is silent until it has 150 ms, and then plays every sample", () => {
    const buffer = new JitterBuffer(rate);
    buffer.push([tone(0, 1_199)]);
    expect(read(buffer, 128).every((sample) => sample === 0)).toBe(true);
    buffer.push([tone(1_199, 1)]);
    const heard = read(buffer, 1_000);
    // It fades in over 5 ms.
    expect(heard.subarray(40)).toEqual(tone(40, 960));
    expect(Math.max(...heard.subarray(0, 10))).toBeLessThan(0.3);
    expect(buffer.state).toMatchObject({ isPlaying: true, underruns: 0, resyncs: 0 });
  });

  test.each([-500, -100, 0, 100, 500])(
    "follows a clock that is off by %d millionths for half an hour",
    (ppm) => {
      const state = play(1800, ppm, () => 0);
      expect(state).toMatchObject({ isPlaying: true, underruns: 0, resyncs: 0, wantedMs: 150 });
      expect(state.bufferedMs).toBeWithin(110, 200);
      expect(state.drift * 1_000_000).toBeWithin(ppm - 300, ppm + 300);
    },
  );

  test("hides frames that come up to 100 ms late", () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.integer({ min: 0, max: 100 })), (late) => {
        const { underruns, resyncs } = play(20, 0, () => late.next().value!);
        expect([underruns, resyncs]).toEqual([0, 0]);
      }),
      { numRuns: 20 },
    );
  });

  test("refills after it was empty, and is longer from then on", () => {
    const buffer = new JitterBuffer(rate);
    buffer.push([tone(0, 1_200)]);
    expect(
      read(buffer, 1_400)
        .subarray(1_250)
        .every((sample) => sample === 0),
    ).toBe(true);
    expect(buffer.state).toMatchObject({ isPlaying: false, underruns: 1, wantedMs: 225 });
    buffer.push([tone(1_200, 1_700)]);
    expect(buffer.state.isPlaying).toBe(false);
    buffer.push([tone(2_900, 200)]);
    expect(buffer.state.isPlaying).toBe(true);
    for (let turn = 0; turn < 20; turn++) {
      read(buffer, 20_000);
      buffer.push([tone(0, 8_000)]);
    }
    expect(buffer.state.wantedMs).toBe(1_000);
  });

  test("drops its oldest audio when it is far too long, as after a suspended page", () => {
    const buffer = new JitterBuffer(rate);
    for (let frame = 0; frame < 200; frame++) buffer.push([tone(160 * frame, 160)]);
    expect(buffer.state.bufferedMs).toBeLessThanOrEqual(650);
    buffer.push([tone(0, 80_000)]);
    expect(buffer.state.bufferedMs).toBe(150);
    expect(buffer.state.resyncs).toBeGreaterThan(0);
    expect(read(buffer, 1_000).subarray(40)).toEqual(tone(80_000 - 1_200 + 40, 960));
  });

  test("plays one channel on both loudspeakers, and starts anew with another number of channels", () => {
    const buffer = new JitterBuffer(rate);
    buffer.push([tone(0, 2_000)]);
    const [left, right] = [new Float32Array(128), new Float32Array(128)];
    buffer.read([left, right]);
    expect(left).toEqual(right);
    buffer.push([tone(0, 1_300), new Float32Array(1_300)]);
    buffer.read([left, right]);
    expect(left.some((sample) => sample !== 0)).toBe(true);
    expect(right.every((sample) => sample === 0)).toBe(true);
  });
});
