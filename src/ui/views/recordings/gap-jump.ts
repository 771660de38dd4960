/** Where to go on when what plays is a long time without audio. Times are milliseconds since 1970. */
import type { TimeWindow } from "../../parts/time-window.ts";

/** A shorter gap is heard as it was. */
const minGapMs = 5_000;
/** Of a gap, to hear that there is one. */
const heardMs = 1_000;

/** The end of the gap, less a moment of it; undefined where there is audio, or nearly. */
export function jumpOver(gaps: readonly TimeWindow[], atMs: number): number | undefined {
  const gap = gaps.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
  if (gap === undefined || gap.toMs - gap.fromMs < minGapMs) return undefined;
  const target = gap.toMs - heardMs / 2;
  const isHeard = atMs >= gap.fromMs + heardMs / 2;
  return isHeard && atMs < target ? target : undefined;
}
