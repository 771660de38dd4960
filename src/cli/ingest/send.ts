/** Sends audio on all streams of a run, with a status line each second and a summary at the end. */
import { type IngestOptions, IngestStream } from "../../client/ingest/stream.ts";
import { ingestHighWaterBytes } from "../../client/limits.ts";
import type { RetryNotice } from "../../client/transport/retry.ts";
import { KiB, MiB } from "../../base/limits/units.ts";
import { retryText } from "../connect/server-options.ts";
import type { Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { failureOf, PartialFailure } from "../kit/failures.ts";
import { printResult } from "../kit/results.ts";
import type { Terminal } from "../kit/terminal.ts";
import { ingestTotals, runIngestFleet } from "./fleet.ts";
import { failureAmong, type IngestRun, liveLine, type Mark, summary } from "./report.ts";

const lineMs = 1_000;
/** Retry notices per second; above this they are dropped, and only the status line counts the connections. */
const maxNoticesPerLine = 5;
/** After an interrupt, streams have this long for their close handshake before they are aborted. */
const stopGraceMs = 2_000;

/** Socket buffers of all streams together. Above its share, a stream pauses until its socket drains. */
const totalHighWaterBytes = 64 * MiB;
/** The smallest share: with less, a stream would pause after every frame. */
const minHighWaterBytes = 16 * KiB;

/** The options that all streams of a run have in common. */
export type CommonOptions = Omit<IngestOptions, "streamId" | "stop" | "signal" | "onRetry">;

/** Divides the memory for socket buffers among the streams. */
export function streamLimits(streams: number): { highWaterBytes: number; lowWaterBytes: number } {
  const shareBytes = Math.floor(totalHighWaterBytes / streams);
  const highWaterBytes = Math.max(minHighWaterBytes, Math.min(ingestHighWaterBytes, shareBytes));
  return { highWaterBytes, lowWaterBytes: Math.floor(highWaterBytes / 4) };
}

/** Throws the failure of a stream after the summary, or the signal's reason if the user interrupts. */
export async function sendAll(
  run: IngestRun,
  common: CommonOptions,
  options: Options,
  context: Context,
): Promise<void> {
  const { terminal, signal: stop } = context;
  const end = abortAfter(stop, stopGraceMs);
  const notices = new RetryNotices(terminal);
  const streams = Array.from({ length: run.streams }, (_, index) => {
    const streamId = run.firstStreamId + index;
    const onRetry = (notice: RetryNotice) => notices.add(streamId, notice);
    return new IngestStream({ ...common, streamId, stop, signal: end.signal, onRetry });
  });
  const startMs = performance.now();
  const status = showStatus(run, streams, startMs, notices, terminal);
  try {
    const outcomes = await runIngestFleet(streams, stop).finally(() => status.end());
    const elapsedMs = performance.now() - startMs;
    printResult(options, terminal, summary(run, ingestTotals(streams), outcomes, elapsedMs));
    stop.throwIfAborted();
    const failure = failureAmong(outcomes);
    if (failure !== undefined)
      throw new PartialFailure(failure.message, failure.hint, failureOf(failure).exitCode);
  } finally {
    end.cancel();
  }
}

/** Rate-limited notices: without a limit, a server restart would print one line per stream. */
class RetryNotices {
  readonly #terminal: Terminal;
  #sinceLine = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  add(streamId: number, notice: RetryNotice): void {
    if (++this.#sinceLine <= maxNoticesPerLine)
      this.#terminal.note(`stream ${streamId}: ${retryText(notice)}`);
  }

  startLine(): void {
    this.#sinceLine = 0;
  }
}

function showStatus(
  run: IngestRun,
  streams: readonly IngestStream[],
  startMs: number,
  notices: RetryNotices,
  terminal: Terminal,
): { end: () => void } {
  const line = terminal.live();
  let previous: Mark = { samples: 0, elapsedMs: 0 };
  const timer = setInterval(() => {
    const totals = ingestTotals(streams);
    const elapsedMs = performance.now() - startMs;
    line.show(liveLine(run, totals, elapsedMs, previous));
    previous = { samples: totals.samples, elapsedMs };
    notices.startLine();
  }, lineMs);
  return {
    end: () => {
      clearInterval(timer);
      line.end();
    },
  };
}

/** A signal that aborts `graceMs` after `stop` does, with the same reason. */
function abortAfter(stop: AbortSignal, graceMs: number): { signal: AbortSignal; cancel: () => void } {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const begin = () => {
    timer = setTimeout(() => controller.abort(stop.reason), graceMs);
  };
  stop.addEventListener("abort", begin);
  const cancel = () => {
    stop.removeEventListener("abort", begin);
    clearTimeout(timer);
  };
  return { signal: controller.signal, cancel };
}
