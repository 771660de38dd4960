/** Output of `stream`: the status line, the summary, and which outcomes are failures. */
import { ClientError } from "../../client/errors.ts";
import type { IngestFormat } from "../../client/ingest/format.ts";
import type { IngestResult } from "../../client/ingest/stream.ts";
import { CliError } from "../kit/failures.ts";
import type { CommandResult } from "../kit/results.ts";
import { humanBytes, humanDuration, plural, table } from "../kit/text.ts";
import type { IngestOutcome, IngestTotals } from "./fleet.ts";

export interface IngestRun {
  format: IngestFormat;
  /** Number of concurrent streams. */
  streams: number;
  /** The other streams have the next ids. */
  firstStreamId: number;
  realtime: boolean;
  url: string;
}

/** Totals at the time of a status line; zeros at the start. */
export interface Mark {
  samples: number;
  elapsedMs: number;
}

/** Close codes by which the server confirms the end: normal closure, and no code (RFC 6455, 7.4.1). */
const normalCloseCodes: ReadonlySet<number> = new Set([1000, 1005]);

/**
 * "12.0 s  600 frames  103.13 KiB  1.00x real time  lag 3 ms": totals since the start, except for the speed, which is
 * measured since the previous line.
 */
export function liveLine(run: IngestRun, totals: IngestTotals, elapsedMs: number, previous: Mark): string {
  const sent = { ...totals, samples: totals.samples - previous.samples };
  const parts = [
    `${(elapsedMs / 1000).toFixed(1)} s`,
    `${totals.frames} frames`,
    humanBytes(totals.bytes),
    speedText(run, sent, elapsedMs - previous.elapsedMs),
  ];
  if (run.streams > 1) parts.unshift(`${run.streams} streams`);
  if (run.realtime) parts.push(`lag ${Math.round(totals.lagMs)} ms`);
  if (totals.connecting > 0) parts.push(run.streams > 1 ? `${totals.connecting} connecting` : "connecting");
  return parts.join("  ");
}

export function summary(
  run: IngestRun,
  totals: IngestTotals,
  outcomes: readonly IngestOutcome[],
  elapsedMs: number,
): CommandResult {
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
    ["Time", `${humanDuration(elapsedMs)}, ${speedText(run, totals, elapsedMs)}`],
  ];
  if (run.realtime) rows.push(["Lag", `${Math.round(totals.maxLagMs)} ms at most`]);
  const lost = lostConnectionsOf(outcomes);
  if (lost > 0) rows.push(["Lost", `${lost} ${plural(lost, "connection")}, made again`]);
  rows.push(["Result", resultText(outcomes)]);
  const failed = outcomes.filter((outcome) => failureOfOne(outcome) !== undefined);
  const { frames, bytes, samples, maxLagMs } = totals;
  const json = {
    streams,
    firstStreamId,
    codec: format.codec,
    sampleRate: format.sampleRate,
    channels: format.channels,
    frames,
    bytes,
    samples,
    lostConnections: lost,
    maxLagMs: run.realtime ? Math.round(maxLagMs) : null,
    failed: failed.map(failureJson),
    durationMs: Math.round(elapsedMs),
  };
  return { json, lines: table(rows) };
}

function failureJson(outcome: IngestOutcome): object {
  const { message, hint } = failureOfOne(outcome)!;
  return { streamId: outcome.streamId, message, hint };
}

/** The error of the command; undefined if every stream was sent and its connection closed normally. */
export function failureAmong(outcomes: readonly IngestOutcome[]): ClientError | CliError | undefined {
  const failures = outcomes.map(failureOfOne).filter((failure) => failure !== undefined);
  const [first] = failures;
  if (failures.length <= 1 && outcomes.length === 1) return first;
  if (first === undefined) return undefined;
  const { message, hint } = first;
  return new CliError(`${failures.length} of ${outcomes.length} streams failed: ${message}`, hint);
}

function failureOfOne(outcome: IngestOutcome): ClientError | CliError | undefined {
  if ("result" in outcome) return failureOfResult(outcome.result);
  if (outcome.error instanceof ClientError || outcome.error instanceof CliError) return outcome.error;
  const message = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
  return new CliError(message, "the stream was not sent completely");
}

function failureOfResult({ close, lostConnections }: IngestResult): CliError | undefined {
  if (close === undefined) {
    return new CliError("the server does not answer the goodbye", "it may not have recorded everything");
  }
  if (!normalCloseCodes.has(close.code)) {
    const reason = close.reason === "" ? "" : ` (${close.reason})`;
    const message = `the server closed with ${close.code}${reason} at the end`;
    return new CliError(message, "it may not have recorded everything");
  }
  if (lostConnections === 0) return undefined;
  const message = `${lostConnections} ${plural(lostConnections, "connection")} lost on the way`;
  return new CliError(message, "frames in flight at that time may be missing on the server");
}

function resultText(outcomes: readonly IngestOutcome[]): string {
  const failed = outcomes.filter((outcome) => failureOfOne(outcome) !== undefined).length;
  if (failed > 0) return outcomes.length === 1 ? "FAILED" : `${failed} of ${outcomes.length} FAILED`;
  const ended = outcomes.every((outcome) => "result" in outcome && outcome.result.ended);
  return ended ? "everything sent" : "ended early, everything up to here sent";
}

function lostConnectionsOf(outcomes: readonly IngestOutcome[]): number {
  return outcomes.reduce((sum, each) => sum + ("result" in each ? each.result.lostConnections : 0), 0);
}

/** Duration of the sent audio divided by the elapsed time, averaged over the streams. */
function speedText(run: IngestRun, totals: IngestTotals, elapsedMs: number): string {
  return `${(audioMs(run, totals) / Math.max(elapsedMs, 1)).toFixed(2)}x real time`;
}

function audioText(run: IngestRun, totals: IngestTotals): string {
  const each = run.streams === 1 ? "" : " a stream";
  return `${humanDuration(audioMs(run, totals))}${each} (${totals.samples} samples a channel)`;
}

function audioMs({ format, streams }: IngestRun, { samples }: IngestTotals): number {
  return (samples * 1000) / format.sampleRate / streams;
}

function formatText({ codec, nibbles, sampleRate, channels, frameSamples }: IngestFormat): string {
  const coder = codec === "pcm" ? "pcm" : `adpcm, ${nibbles} nibble first`;
  return `${coder}, ${sampleRate} Hz, ${channels} ${plural(channels, "channel")}, frames of ${frameSamples} samples`;
}
