import { expect, test } from "bun:test";
import { toPcm16 } from "./microphone-frame.ts";

test("samples become PCM16 with their levels", () => {
  const frame = toPcm16(Float32Array.of(0, 0.5, -0.5, 0));
  expect([...new Int16Array(frame.pcm)]).toEqual([0, 16_384, -16_383, 0]);
  expect(frame.peak).toBe(0.5);
  expect(frame.rms).toBeCloseTo(0.3536, 4);
  expect(frame.isClipped).toBe(false);
});

test("samples beyond the full scale are clipped, and the frame says so", () => {
  const frame = toPcm16(Float32Array.of(1.5, -2));
  expect([...new Int16Array(frame.pcm)]).toEqual([32_767, -32_767]);
  expect(frame.isClipped).toBe(true);
});
