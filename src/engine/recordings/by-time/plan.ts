/**
 * Plans the audio of a period: which samples of which recordings follow each other, and where there is silence. Sample
 * `n` of the audio is the one at `fromUs + n / sampleRate`; a session is moved by less than half a sample to fit.
 *
 * Where sessions overlap, because the clock was set back or the device connected twice, the one that started first is
 * heard to its end, and then the rest of the other.
 */
import { BoundaryError, WavecacheError } from "../../../base/errors.ts";
import { maxPeriodMs } from "../../../base/limits/recordings.ts";
import type { SpanRow } from "../../../store/recordings/timeline/catalog.ts";
import type { ReadableSegment } from "./written.ts";

/** What stands where there is no audio: silence, or nothing, or the request fails. */
export type GapRule = "silence" | "skip" | "fail";

export interface PlannedFormat {
  sampleRate: number;
  channels: number;
}

export interface PlanOptions {
  fromUs: number;
  toUs: number;
  gaps: GapRule;
  /** The rate of the audio; undefined: that of the recordings, which must not change. */
  resampleRate: number | undefined;
  /** Continues an audio of this format after `cursor` samples of the period. There need not be any audio. */
  following?: { cursor: number; format: PlannedFormat };
}

/** Samples of a recording. All counts are per channel. */
export interface Clip {
  /** Of the audio. */
  start: number;
  samples: number;
  segment: ReadableSegment;
  /** The first sample in the recording, and how many there are; more or fewer than `samples` if resampled. */
  at: number;
  sourceSamples: number;
  session: SpanRow;
}

export interface Silence {
  start: number;
  samples: number;
}

export type Piece = Clip | Silence;

export interface Plan {
  sampleRate: number;
  channels: number;
  /** Of all pieces and those before them. */
  samples: number;
  /** The first sample of the pieces: 0, unless the plan continues another one. */
  first: number;
  /** Without gaps or overlaps between them. */
  pieces: Piece[];
  fromUs: number;
  isResampled: boolean;
}

export function isClip(piece: Piece): piece is Clip {
  return "segment" in piece;
}

/** A part of a segment that was recorded, or was lost as a whole; by positions in its session. */
interface Run {
  position: number;
  samples: number;
  /** In the recording. */
  at: number;
  isLost: boolean;
}

const usPerSecond = 1_000_000;

/** `segments` are those of the spans. Throws FORMAT_CHANGES, RECORDING_GAP, RECORDING_UNKNOWN, READ_TOO_LARGE. */
export function planPeriod(
  spans: readonly SpanRow[],
  segments: readonly ReadableSegment[],
  options: PlanOptions,
): Plan {
  const ordered = spans.toSorted((a, b) => a.startUs - b.startUs || a.session - b.session);
  const { following } = options;
  const format = following?.format ?? ordered[0];
  if (format === undefined) throw new WavecacheError("RECORDING_UNKNOWN");
  if (options.toUs - options.fromUs > maxPeriodMs * 1000) throw new WavecacheError("READ_TOO_LARGE");
  if (options.resampleRate === undefined) requireOneFormat(format, ordered, options);
  const planner = new Planner(options, options.resampleRate ?? format.sampleRate);
  const bySession = Map.groupBy(segments, ({ session }) => session);
  for (const span of ordered) {
    const own = (bySession.get(span.session) ?? []).filter(
      ({ position }) => position >= span.first && position < span.past,
    );
    for (const segment of own) planner.add(span, segment);
  }
  const pieces = planner.end();
  const last = pieces.at(-1);
  const first = following?.cursor ?? 0;
  return {
    sampleRate: planner.sampleRate,
    channels: Math.max(format.channels, ...ordered.map(({ channels }) => channels)),
    samples: last === undefined ? first : last.start + last.samples,
    first,
    pieces,
    fromUs: options.fromUs,
    isResampled: options.resampleRate !== undefined,
  };
}

/** The samples of a period, per channel. */
export function samplesUntil(
  { fromUs, toUs }: Pick<PlanOptions, "fromUs" | "toUs">,
  sampleRate: number,
): number {
  return Math.round(((toUs - fromUs) * sampleRate) / usPerSecond);
}

function requireOneFormat(first: PlannedFormat, spans: readonly SpanRow[], { fromUs }: PlanOptions): void {
  const other = spans.find(
    ({ sampleRate, channels }) => sampleRate !== first.sampleRate || channels !== first.channels,
  );
  if (other === undefined) return;
  const formats = [first, other].map(({ sampleRate, channels }) => `${sampleRate} Hz x${channels}`);
  throw new BoundaryError("FORMAT_CHANGES", Math.max(fromUs, other.startUs), formats.join(" becomes "));
}

class Planner {
  readonly sampleRate: number;
  readonly #options: PlanOptions;
  readonly #end: number;
  readonly #pieces: Piece[] = [];
  /** Up to where the period is planned, in samples from its start. */
  #cursor: number;
  /** Silence that was left out. */
  #skipped = 0;

  constructor(options: PlanOptions, sampleRate: number) {
    this.#options = options;
    this.sampleRate = sampleRate;
    this.#cursor = options.following?.cursor ?? 0;
    this.#end = samplesUntil(options, sampleRate);
  }

  add(session: SpanRow, segment: ReadableSegment): void {
    const ratio = this.sampleRate / session.sampleRate;
    const origin = Math.round(
      ((session.sessionStartUs - this.#options.fromUs) * this.sampleRate) / usPerSecond,
    );
    for (const { position, samples, at, isLost } of runsOf(segment)) {
      const first = origin + Math.round(position * ratio);
      const past = origin + Math.round((position + samples) * ratio);
      const start = Math.max(this.#cursor, first);
      const end = Math.min(this.#end, past);
      if (end <= start) continue;
      // Another session must not be heard in what this one has lost: it would depend on where the period ends.
      this.#gapTo(isLost ? end : start);
      if (isLost) continue;
      const skippedSource = Math.round((start - first) / ratio);
      const sourceEnd = end === past ? samples : Math.round((end - first) / ratio);
      const sourceSamples = sourceEnd - skippedSource;
      const clip = { segment, at: at + skippedSource, sourceSamples, session };
      this.#pieces.push({ start: start - this.#skipped, samples: end - start, ...clip });
      this.#cursor = end;
    }
  }

  end(): Piece[] {
    this.#gapTo(this.#end);
    return this.#pieces;
  }

  #gapTo(end: number): void {
    const samples = end - this.#cursor;
    if (samples <= 0) return;
    const { gaps, fromUs } = this.#options;
    if (gaps === "fail") {
      const startUs = fromUs + Math.round((this.#cursor * usPerSecond) / this.sampleRate);
      throw new BoundaryError("RECORDING_GAP", startUs, `${samples} samples are missing`);
    }
    if (gaps === "skip") this.#skipped += samples;
    else this.#pieces.push({ start: this.#cursor, samples });
    this.#cursor = end;
  }
}

function runsOf({ position, samples, losses }: ReadableSegment): Run[] {
  const runs: Run[] = [];
  let lost = 0;
  let from = 0;
  for (const loss of [...losses, { at: samples, samples: 0 }]) {
    const samplesBefore = loss.at - from;
    if (samplesBefore > 0)
      runs.push({ position: position + from + lost, samples: samplesBefore, at: from, isLost: false });
    from = loss.at;
    if (loss.samples > 0)
      runs.push({ position: position + from + lost, samples: loss.samples, at: from, isLost: true });
    lost += loss.samples;
  }
  return runs;
}
