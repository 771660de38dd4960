/** Many concurrent ingest streams: staggered start, totals, and the outcome of each. */
import type { IngestResult, IngestStream } from "../../client/ingest/stream.ts";
import { pause } from "../../client/transport/retry.ts";

/** Delay between the starts of two streams: it spreads out connections, and with --realtime also frames. */
const startSpacingMs = 1;

export interface IngestTotals {
  frames: number;
  /** Samples per channel, summed over all streams. */
  samples: number;
  bytes: number;
  /** Current lag of the slowest stream, and the worst lag of any frame so far. */
  lagMs: number;
  maxLagMs: number;
  /** Streams that are connecting or reconnecting. */
  connecting: number;
}

export type IngestOutcome =
  | { streamId: number; result: IngestResult }
  /** A ClientError, or the reason of an aborted signal. */
  | { streamId: number; error: unknown };

/** Runs all streams to their ends; one failure does not affect the others. After `stop`, no further stream starts. */
export function runIngestFleet(
  streams: readonly IngestStream[],
  stop: AbortSignal,
): Promise<IngestOutcome[]> {
  return Promise.all(
    streams.map(async (stream, index): Promise<IngestOutcome> => {
      const { streamId } = stream;
      try {
        if (index > 0) await pause(index * startSpacingMs, stop);
        return { streamId, result: await stream.run() };
      } catch (error) {
        return { streamId, error };
      }
    }),
  );
}

export function ingestTotals(streams: readonly IngestStream[]): IngestTotals {
  const totals = { frames: 0, samples: 0, bytes: 0, lagMs: 0, maxLagMs: 0, connecting: 0 };
  for (const stream of streams) {
    totals.frames += stream.frames;
    totals.samples += stream.samples;
    totals.bytes += stream.bytes;
    totals.lagMs = Math.max(totals.lagMs, stream.lagMs);
    totals.maxLagMs = Math.max(totals.maxLagMs, stream.maxLagMs);
    if (stream.state === "connecting") totals.connecting++;
  }
  return totals;
}
