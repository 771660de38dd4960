/** How fast usage grows, and when a disk will be full at this rate. */
import { minForecastMs } from "../../base/limits/retention.ts";
import type { UsageSample } from "../../store/retention/catalog.ts";

const dayMs = 24 * 3_600_000;
/** The last time that a Date can represent (ECMA-262, time values). */
const maxTimeMs = 8.64e15;

/** Since the oldest sample; undefined if that is too young to tell. */
export function growthPerDay(
  samples: readonly UsageSample[],
  current: UsageSample,
  bytesOf: (sample: UsageSample) => number,
): number | undefined {
  const first = samples[0];
  if (first === undefined || current.at - first.at < minForecastMs) return undefined;
  return ((bytesOf(current) - bytesOf(first)) * dayMs) / (current.at - first.at);
}

/** Milliseconds since 1970; undefined if the disk does not fill up. */
export function fullAt(now: number, freeBytes: number, bytesPerDay: number | undefined): number | undefined {
  if (bytesPerDay === undefined || bytesPerDay <= 0) return undefined;
  const at = Math.round(now + (freeBytes / bytesPerDay) * dayMs);
  return at > maxTimeMs ? undefined : at;
}
