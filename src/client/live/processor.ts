import type { JitterState } from "./jitter-buffer.ts";

/** Under this name the worklet registers its processor. */
export const liveProcessor = "wavecache-live";

/** What the processor reports to the page. */
export interface LiveReport extends JitterState {
  /** When the server received the sample that plays now, in ms since 1970; null before the first. */
  timeMs: number | null;
  /** Samples per channel that the server has skipped, because the connection was too slow. */
  skipped: number;
}
