/** The range of time of peaks and levels. */
import { ParameterError } from "../../../base/errors.ts";
import { maxPeaksRangeMs } from "../../../base/limits/peaks.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";

const usualRangeMs = 24 * 3_600_000;

/** In ms since 1970; times of the query are in µs. Throws ParameterError. */
export function rangeOf(query: { from: number | undefined; to: number | undefined }): {
  from: number;
  to: number;
} {
  const to = query.to === undefined ? sharedNow() : query.to / 1000;
  const from = query.from === undefined ? to - usualRangeMs : query.from / 1000;
  if (from >= to) throw new ParameterError("to", "the range must end after it begins");
  if (to - from > maxPeaksRangeMs) throw new ParameterError("from", "a range may last 31 days");
  return { from, to };
}
