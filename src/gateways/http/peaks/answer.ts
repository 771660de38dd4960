/** Answers with peaks: as the JSON or the binary layout of audiowaveform, both of version 2. */
import * as v from "valibot";
import type { GatewayMeter } from "../../../base/gateway-meter.ts";
import { defaultPeakPoints, maxPeakPoints } from "../../../base/limits/peaks.ts";
import { encodeDat, type Peaks, pixelsOf } from "../../../codec/peaks/dat.ts";
import { PeakPoints } from "../../../codec/peaks/points.ts";
import { json } from "../operation.ts";
import { choice, whole } from "../parameters.ts";
import { countSchema } from "../schemas.ts";

export const datMediaType = "application/octet-stream";

/** Field names as audiowaveform has them. */
export const peaksSchemaEntries = {
  version: v.literal(2),
  channels: countSchema,
  sample_rate: countSchema,
  samples_per_pixel: countSchema,
  bits: v.literal(16),
  length: countSchema,
  /** The minimum and the maximum of each channel of a pixel, pixel by pixel. */
  data: v.array(v.pipe(v.number(), v.integer())),
};

export const formatParameter = choice(
  ["json", "dat"],
  "`dat` is the binary layout, which `Accept: application/octet-stream` asks for, too.",
);

export const pointsParameter = whole(
  1,
  maxPeakPoints,
  `How many pixels there may be; ${defaultPeakPoints} if it is left out.`,
);

export const acceptHeader = { accept: "application/octet-stream asks for the binary layout." };

/** Whether the client wants the binary layout. */
export function wantsDat(request: Request, format: "json" | "dat" | undefined): boolean {
  return (format ?? (request.headers.get("accept")?.includes(datMediaType) ? "dat" : "json")) === "dat";
}

export function answerDat(peaks: Peaks, meter: GatewayMeter): Response {
  const file = encodeDat(peaks);
  meter.bytesOut += file.length;
  return new Response(file, { headers: { "content-type": datMediaType, "cache-control": "no-store" } });
}

export function answerJson(peaks: Peaks, more: object, meter: GatewayMeter): Response {
  const { channels, sampleRate, samplesPerPixel, data } = peaks;
  const format = { channels, sample_rate: sampleRate, samples_per_pixel: samplesPerPixel, bits: 16 };
  return json({ version: 2, ...format, length: pixelsOf(peaks), data: Array.from(data), ...more }, meter);
}

/** The same peaks in no more pixels than this, of one channel. */
export function reduced(peaks: Peaks, maxPixels: number): Peaks {
  const factor = Math.ceil(pixelsOf(peaks) / maxPixels);
  if (factor <= 1) return peaks;
  const { sampleRate } = peaks;
  const samplesPerPixel = peaks.samplesPerPixel * factor;
  const points = new PeakPoints(Math.ceil(pixelsOf(peaks) / factor), samplesPerPixel / sampleRate);
  points.add(peaks, 0);
  return { sampleRate, samplesPerPixel, channels: 1, data: points.values };
}
