/** What was stored over the last days, and what will be at this rate, as curves. */
import type { Usage, UsageHistory } from "../../api/retention.ts";
import type { CurveData } from "../../parts/curve.tsx";

/** The forecast is drawn this far ahead. */
const aheadSeconds = 2 * 24 * 3_600;

/** Undefined while there are too few samples for a curve. */
export function curveOfHistory({ samples }: UsageHistory, disks: Usage["disks"]): CurveData | undefined {
  if (samples.length < 2) return undefined;
  const times = samples.map(({ at }) => Date.parse(at) / 1000);
  const growths = disks.map(({ growthBytesPerDay }) => growthBytesPerDay).filter((each) => each !== null);
  const growth = growths.reduce((sum, each) => sum + each, 0);
  const last = samples.at(-1)!;
  const together = last.streamBytes + last.recordingBytes;
  const later = Math.max(0, together + (growth * aheadSeconds) / (24 * 3_600));
  const forecast = samples.map((_, at) => (at === samples.length - 1 ? together : null));
  const isKnown = growths.length > 0;
  return {
    times: isKnown ? [...times, times.at(-1)! + aheadSeconds] : times,
    series: [
      {
        label: "Together",
        color: "accent",
        isFilled: true,
        values: padded(
          samples.map(({ streamBytes, recordingBytes }) => streamBytes + recordingBytes),
          isKnown,
        ),
      },
      {
        label: "Streams",
        color: "muted",
        values: padded(
          samples.map(({ streamBytes }) => streamBytes),
          isKnown,
        ),
      },
      ...(isKnown
        ? [{ label: "At this rate", color: "warn", isDashed: true, values: [...forecast, later] } as const]
        : []),
    ],
  };
}

function padded(values: number[], isLonger: boolean): (number | null)[] {
  return isLonger ? [...values, null] : values;
}
