/** Adds audio that is in files, and not in the catalog, to the rows that the catalog has of a period. */
import { spanOf, type RecordedWav, type WrittenSegment } from "../../../base/recording-entry.ts";
import type { SegmentRow, SpanRow } from "../../../store/recordings/timeline/catalog.ts";

/** A segment that the catalog may not have. */
export interface UnenteredSegment extends WrittenSegment {
  streamId: number;
  sampleRate: number;
  channels: number;
  /** Undefined while it is recorded: nothing tells yet whether its bytes are right. */
  wav: RecordedWav | undefined;
}

/** A segment whose samples can be read. */
export interface ReadableSegment extends Omit<SegmentRow, "id" | "wav"> {
  /** Undefined if the catalog does not have it. */
  id: number | undefined;
  wav: RecordedWav | undefined;
}

/** What it takes to open the samples of a segment. */
export type SampledSegment = Pick<ReadableSegment, "id" | "name" | "wav" | "otherNode" | "archive">;

export interface ReadableRows {
  spans: SpanRow[];
  segments: ReadableSegment[];
}

/** `rows` are those of the period. A segment that both have is that of the catalog. */
export function withWritten(
  rows: ReadableRows,
  written: readonly UnenteredSegment[],
  { fromUs, toUs }: { fromUs: number; toUs: number },
): ReadableRows {
  const known = new Set(rows.segments.map(({ name }) => name));
  const all = new WrittenRows(rows);
  for (const segment of written.toSorted((a, b) => a.placement.position - b.placement.position)) {
    const [startUs, endUs] = timesOf(segment);
    if (known.has(segment.name) || endUs <= fromUs || startUs >= toUs) continue;
    known.add(segment.name);
    all.add(segment, startUs, endUs);
  }
  return all;
}

class WrittenRows implements ReadableRows {
  readonly spans: SpanRow[];
  readonly segments: ReadableSegment[];
  /** Sessions that the catalog does not have have negative numbers. */
  readonly #sessions: Map<string, number>;

  constructor(rows: ReadableRows) {
    this.spans = [...rows.spans];
    this.segments = [...rows.segments];
    this.#sessions = new Map(rows.spans.map(({ key, session }) => [key, session]));
  }

  add(segment: UnenteredSegment, startUs: number, endUs: number): void {
    const { name, placement, samples, wav } = segment;
    const { session: key, position, losses } = placement;
    const session = this.#sessions.get(key) ?? -1 - this.#sessions.size;
    this.#sessions.set(key, session);
    this.segments.push({ id: undefined, name, session, position, samples, losses, wav });
    const past = position + spanOf(segment);
    const before = this.spans.findIndex((span) => span.session === session && span.past === position);
    if (before >= 0) this.spans[before] = { ...this.spans[before]!, past, endUs };
    else this.spans.push(spanRowOf(segment, session, { startUs, endUs, past }));
  }
}

function timesOf({ placement, samples, sampleRate }: UnenteredSegment): [startUs: number, endUs: number] {
  const timeOf = (position: number) =>
    placement.sessionStartUs + Math.round((position * 1_000_000) / sampleRate);
  return [timeOf(placement.position), timeOf(placement.position + spanOf({ placement, samples }))];
}

function spanRowOf(
  { placement, samples, streamId, sampleRate, channels }: UnenteredSegment,
  session: number,
  end: { startUs: number; endUs: number; past: number },
): SpanRow {
  const { session: key, position: first, sessionStartUs, run, steppedMs, deviceTimeMs } = placement;
  const facts = { key, sessionStartUs, run, steppedMs, deviceTimeMs, ended: null };
  const format = { streamId, sampleRate, channels };
  return { session, first, ...end, segments: 1, samples, lostFrames: 0, ...facts, ...format };
}
