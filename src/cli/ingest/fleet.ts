/** Many ingest streams side by side, seen as one: started one after the other, added up, each outcome kept. */
import type { IngestResult, IngestStream } from "../../client/ingest/stream.ts";
import { pause } from "../../client/transport/retry.ts";

/** Streams start this far apart, so that neither their connections nor their frames come all at once. */
const startSpacingMs = 1;

export interface FleetTotals {
  frames: number;
  /** Samples a channel, of all streams together. */
  samples: number;
  bytes: number;
  /** How late the latest stream is now, and how late the latest frame was. */
  lagMs: number;
  worstLagMs: number;
  /** Streams that have no connection yet, or not any more, but want one. */
  connecting: number;
}

export type FleetOutcome =
  | { streamId: number; result: IngestResult }
  /** What ended a stream: a ClientError, or the reason of a signal. */
  | { streamId: number; error: unknown };

/** Runs all streams to their ends, whatever happens to one of them; no further one starts after `stop`. */
export function runFleet(streams: readonly IngestStream[], stop: AbortSignal): Promise<FleetOutcome[]> {
  return Promise.all(
    streams.map(async (stream, index): Promise<FleetOutcome> => {
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

export function fleetTotals(streams: readonly IngestStream[]): FleetTotals {
  const totals = { frames: 0, samples: 0, bytes: 0, lagMs: 0, worstLagMs: 0, connecting: 0 };
  for (const stream of streams) {
    totals.frames += stream.frames;
    totals.samples += stream.samples;
    totals.bytes += stream.bytes;
    totals.lagMs = Math.max(totals.lagMs, stream.lagMs);
    totals.worstLagMs = Math.max(totals.worstLagMs, stream.worstLagMs);
    if (stream.state === "connecting") totals.connecting++;
  }
  return totals;
}
