import { expect, test } from "bun:test";
import { spectrumColors } from "./spectrum-colors.ts";

test("silence has the color of the surface, and the loudest that of the text", () => {
  const pixels = spectrumColors("#ffffff", "#0b6b6b", " #10201f");
  expect(Array.from(pixels.subarray(0, 4))).toEqual([255, 255, 255, 255]);
  expect(Array.from(pixels.subarray(4 * 153, 4 * 154))).toEqual([11, 107, 107, 255]);
  expect(Array.from(pixels.subarray(-4))).toEqual([16, 32, 31, 255]);
});

test("what lies between is mixed", () => {
  const pixels = spectrumColors("#ffffff", "#000000", "#000000");
  expect(pixels[4 * 76]).toBeWithin(126, 131);
});
