/** Levels of recordings as curves. */
import type { RangeLevels } from "../../api/recordings.ts";
import type { CurveData } from "../../parts/curve.tsx";

/** Of the axis, in dBFS. Digital silence is far below it. */
export const levelMarks = [-90, -60, -30, 0] as const;
const lowest = levelMarks[0];

/** Undefined without any audio. */
export function curveOfLevels({ from, pointMs, peak, rms }: RangeLevels): CurveData | undefined {
  if (peak.every((each) => each === null)) return undefined;
  const fromMs = Date.parse(from);
  return {
    times: peak.map((_, at) => (fromMs + at * pointMs) / 1000),
    series: [
      { label: "Peak", color: "wave", values: peak.map(shown) },
      { label: "RMS", color: "accent", isFilled: true, values: rms.map(shown) },
    ],
  };
}

function shown(level: number | null): number | null {
  return level === null ? null : Math.max(lowest, level);
}

export function formatDecibels(value: number): string {
  return value <= lowest ? `≤ ${lowest}` : String(Math.round(value * 10) / 10);
}
