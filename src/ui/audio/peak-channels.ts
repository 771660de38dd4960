import type { Peaks } from "../api/resources.ts";

const fullScale = 32_768;

/** The upper and the lower edge of a waveform, as wavesurfer.js draws two channels: each from 0 to 1. */
export function channelsOf({ data, channels }: Pick<Peaks, "data" | "channels">): number[][] {
  const [upper, lower]: [number[], number[]] = [[], []];
  const valuesOfPixel = 2 * channels;
  for (let at = 0; at + valuesOfPixel <= data.length; at += valuesOfPixel) {
    const values = data.slice(at, at + valuesOfPixel);
    upper.push(Math.max(0, ...values) / fullScale);
    lower.push(-Math.min(0, ...values) / fullScale);
  }
  return [upper, lower];
}
