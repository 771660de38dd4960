import { expect, test } from "bun:test";
import { AdpcmDecoder } from "../../../../codec/ima-adpcm.ts";
import { markedAdpcm, markedPcm } from "./marked-audio.ts";

const pcm = (...frames: number[]) =>
  new Int16Array(new Uint8Array(Buffer.concat(frames.map((frame) => markedPcm.payload(frame)))).buffer);

function adpcm(...frames: number[]): Int16Array {
  const decoder = new AdpcmDecoder(1, 320);
  const samples = new Int16Array(320 * frames.length);
  for (const [at, frame] of frames.entries()) {
    const payload = markedAdpcm.payload(frame);
    expect(decoder.decode(payload, 0, payload.length, samples, 320 * at)).toBe(320);
  }
  return samples;
}

test("samples of PCM are found by their numbers, also past 16 bits and when cut", () => {
  expect(markedPcm.runs(pcm(1, 2, 3))).toEqual([{ first: 160, count: 480 }]);
  expect(markedPcm.runs(pcm(5000, 5001).subarray(20))).toEqual([{ first: 800_010, count: 310 }]);
});

test("samples of PCM that are lost, doubled or other ones begin another run", () => {
  expect(markedPcm.runs(pcm(1, 3))).toEqual([
    { first: 160, count: 160 },
    { first: 480, count: 160 },
  ]);
  expect(markedPcm.runs(pcm(1, 1))).toHaveLength(2);
  const wrong = pcm(1);
  wrong[100] = 7;
  expect(markedPcm.runs(wrong)).toHaveLength(3);
});

test("samples of ADPCM are found by the numbers of their frames", () => {
  expect(markedAdpcm.runs(adpcm(7, 8, 40_000))).toEqual([
    { first: 2240, count: 640 },
    { first: 12_800_000, count: 320 },
  ]);
  expect(markedAdpcm.runs(adpcm(7, 8, 9).subarray(100, 700))).toEqual([{ first: 2340, count: 600 }]);
  expect(markedAdpcm.runs(adpcm(7, 7))).toHaveLength(2);
});
