import { expect, test } from "bun:test";
import { encodeWavHeader } from "../../../codec/wav/wav.ts";
import { levelBetween, levelsOfPeaks, levelsOfWav } from "./levels.ts";

const from = "2026-01-15T09:05:00.000Z";
const fromMs = Date.parse(from);

test("peaks become levels with the time of each", () => {
  const format = { sample_rate: 16_000, samples_per_pixel: 1_600, channels: 1, length: 2 };
  const levels = levelsOfPeaks({ ...format, data: [-16_384, 8_192, 0, 0], from, gaps: [] });
  expect([levels.fromMs, levels.partMs]).toEqual([fromMs, 100]);
  expect(levelBetween(levels, fromMs, fromMs + 100)).toEqual([-0.5, 0.25]);
  expect(levelBetween(levels, fromMs + 100, fromMs + 200)).toEqual([0, 0]);
  expect(levelBetween(levels, fromMs, fromMs + 200)).toEqual([-0.5, 0.25]);
});

test("nothing is known before and after the levels", () => {
  const format = { sample_rate: 1_000, samples_per_pixel: 1_000, channels: 1, length: 1 };
  const levels = levelsOfPeaks({ ...format, data: [-1, 1], from, gaps: [] });
  expect(levelBetween(levels, fromMs - 2_000, fromMs - 1_000)).toBeUndefined();
  expect(levelBetween(levels, fromMs + 1_000, fromMs + 2_000)).toBeUndefined();
});

test("samples of a WAV become levels, over all channels", () => {
  const samples = Int16Array.of(16_384, -8_192, 0, 0, 8_192, 0, 0, -16_384);
  const wav = new Uint8Array(44 + samples.byteLength);
  wav.set(encodeWavHeader(1_000, 2, samples.byteLength));
  wav.set(new Uint8Array(samples.buffer), 44);
  const levels = levelsOfWav(wav.buffer, fromMs, 2)!;
  expect(levels.partMs).toBe(2);
  expect([...levels.min]).toEqual([-0.25, -0.5]);
  expect([...levels.max]).toEqual([0.5, 0.25]);
});

test("a WAV without samples has no levels", () => {
  const header = Uint8Array.from(encodeWavHeader(1_000, 1, 0));
  expect(levelsOfWav(header.buffer, fromMs, 100)).toBeUndefined();
});
