import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { decodeMsAdpcmBlock, msAdpcmSamples } from "./ms-adpcm.ts";

test("a block of Microsoft ADPCM begins with the two samples of its header, the later one first in the file", () => {
  // Predictor 0 repeats the last sample; delta 16; samples 200 and 100; then +1, -1, 0, 0.
  const mono = Uint8Array.of(0, 16, 0, 200, 0, 100, 0, 0x1f, 0x00);
  expect([...decodeMsAdpcmBlock(mono, 1)!]).toEqual([100, 200, 216, 200, 200, 200]);
  const stereo = Uint8Array.of(0, 0, 16, 0, 32, 0, 200, 0, 44, 1, 100, 0, 0, 0, 0x1f);
  expect([...decodeMsAdpcmBlock(stereo, 2)!]).toEqual([100, 0, 200, 300, 216, 268]);
});

test("a block of Microsoft ADPCM with an unknown predictor is damaged", () => {
  expect(decodeMsAdpcmBlock(Uint8Array.of(7, 16, 0, 200, 0, 100, 0, 0), 1)).toBeUndefined();
});

test("any block of Microsoft ADPCM decodes to its samples, or is damaged, and never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 4 }), (block, channels) => {
      const samples = decodeMsAdpcmBlock(block, channels);
      if (samples !== undefined)
        expect(samples.length).toBe(msAdpcmSamples(block.length, channels) * channels);
    }),
  );
});
