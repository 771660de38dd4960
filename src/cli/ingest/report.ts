/** What `stream` says: a line a second, the summary, and what counts as a failure. */
import { ClientError } from "../../client/errors.ts";
import type { IngestFormat } from "../../client/ingest/format.ts";
import type { IngestResult } from "../../client/ingest/stream.ts";
import { CliError } from "../kit/failures.ts";
import type { FleetOutcome, FleetTotals } from "./fleet.ts";
import { humanBytes, humanDuration, table } from "../kit/text.ts";

export interface Run {
  format: IngestFormat;
  /** Streams at once, and the id of the first one. */
  streams: number;
  firstStreamId: number;
  realtime: boolean;
  url: string;
}

/** What the line before was made of; zeros at first. */
export interface LineBefore {
  samples: number;
  elapsedMs: number;
}

/** The peer's close that says that it has everything. */
const goodCloses: ReadonlySet<number> = new Set([1000, 1005]);

/**
 * "12.0 s  600 frames  103.13 KiB  1.00x real time  lag 3 ms": sums since the beginning, but the speed of the time since
 * the line before.
 */
export function liveLine(run: Run, totals: FleetTotals, elapsedMs: number, before: LineBefore): string {
  const sent = { ...totals, samples: totals.samples - before.samples };
  const parts = [
    `${(elapsedMs / 1000).toFixed(1)} s`,
    `${totals.frames} frames`,
    humanBytes(totals.bytes),
    factor(run, sent, elapsedMs - before.elapsedMs),
  ];
  if (run.streams > 1) parts.unshift(`${run.streams} streams`);
  if (run.realtime) parts.push(`lag ${Math.round(totals.lagMs)} ms`);
  if (totals.connecting > 0) parts.push(run.streams > 1 ? `${totals.connecting} connecting` : "connecting");
  return parts.join("  ");
}

export function summary(
  run: Run,
  totals: FleetTotals,
  outcomes: readonly FleetOutcome[],
  elapsedMs: number,
): string[] {
  const { format, streams, firstStreamId } = run;
  const last = firstStreamId + streams - 1;
  const rows = [
    ["Server", run.url],
    streams === 1
      ? ["Stream", String(firstStreamId)]
      : ["Streams", `${streams} (${firstStreamId} to ${last})`],
    ["Format", formatText(format)],
    ["Sent", `${totals.frames} frames, ${humanBytes(totals.bytes)} (${totals.bytes} bytes)`],
    ["Audio", audioText(run, totals)],
    ["Time", `${humanDuration(elapsedMs)}, ${factor(run, totals, elapsedMs)}`],
  ];
  if (run.realtime) rows.push(["Lag", `${Math.round(totals.worstLagMs)} ms at most`]);
  const lost = lostConnectionsOf(outcomes);
  if (lost > 0) rows.push(["Lost", `${lost} ${plural(lost, "connection")}, made again`]);
  rows.push(["Result", resultText(outcomes)]);
  return table(rows);
}

/** What makes the exit code other than 0; undefined where everything was sent and every server said goodbye well. */
export function failureAmong(outcomes: readonly FleetOutcome[]): unknown {
  const failures = outcomes.map(failureOfOne).filter((failure) => failure !== undefined);
  const [first] = failures;
  if (failures.length <= 1 && outcomes.length === 1) return first;
  if (first === undefined) return undefined;
  const { message, hint } = first;
  return new CliError(`${failures.length} of ${outcomes.length} streams failed: ${message}`, hint);
}

function failureOfOne(outcome: FleetOutcome): ClientError | CliError | undefined {
  if ("result" in outcome) return failureOfResult(outcome.result);
  if (outcome.error instanceof ClientError || outcome.error instanceof CliError) return outcome.error;
  const message = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
  return new CliError(message, "the stream was not sent to its end");
}

function failureOfResult({ close, lostConnections }: IngestResult): CliError | undefined {
  if (close === undefined) {
    return new CliError("the server does not answer the goodbye", "it may not have recorded everything");
  }
  if (!goodCloses.has(close.code)) {
    const reason = close.reason === "" ? "" : ` (${close.reason})`;
    const message = `the server closed with ${close.code}${reason} at the end`;
    return new CliError(message, "it may not have recorded everything");
  }
  if (lostConnections === 0) return undefined;
  const message = `${lostConnections} ${plural(lostConnections, "connection")} lost on the way`;
  return new CliError(message, "frames that were in the network then may be missing at the server");
}

function resultText(outcomes: readonly FleetOutcome[]): string {
  const failed = outcomes.filter((outcome) => failureOfOne(outcome) !== undefined).length;
  if (failed > 0) return outcomes.length === 1 ? "FAILED" : `${failed} of ${outcomes.length} FAILED`;
  const ended = outcomes.every((outcome) => "result" in outcome && outcome.result.ended);
  return ended ? "everything sent" : "ended early, everything up to here sent";
}

function lostConnectionsOf(outcomes: readonly FleetOutcome[]): number {
  return outcomes.reduce((sum, each) => sum + ("result" in each ? each.result.lostConnections : 0), 0);
}

/** Audio sent in the time it took, as a mean of the streams. */
function factor(run: Run, totals: FleetTotals, elapsedMs: number): string {
  return `${(audioMs(run, totals) / Math.max(elapsedMs, 1)).toFixed(2)}x real time`;
}

function audioText(run: Run, totals: FleetTotals): string {
  const each = run.streams === 1 ? "" : " a stream";
  return `${humanDuration(audioMs(run, totals))}${each} (${totals.samples} samples a channel)`;
}

function audioMs({ format, streams }: Run, { samples }: FleetTotals): number {
  return (samples * 1000) / format.sampleRate / streams;
}

function formatText({ codec, nibbles, sampleRate, channels, frameSamples }: IngestFormat): string {
  const coder = codec === "pcm" ? "pcm" : `adpcm, ${nibbles} nibble first`;
  return `${coder}, ${sampleRate} Hz, ${channels} ${plural(channels, "channel")}, frames of ${frameSamples} samples`;
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}
