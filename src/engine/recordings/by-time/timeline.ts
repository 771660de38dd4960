/**
 * The timeline of a device: spans of audio, and the gaps between them with their reasons. It is made from the catalog's
 * rows alone. Times are in µs since 1970.
 */
import type {
  SessionFacts,
  SpanRow,
  TimelineRows,
  TimelineTotals,
} from "../../../store/recordings/timeline/catalog.ts";

/**
 * `silent link`: no audio arrived, with or without a connection. `lost frames`: sequence numbers are missing.
 * `server down`: no server was recording. `clock stepped`: the system's clock was set between two connections.
 */
export type GapReason = "silent link" | "lost frames" | "server down" | "clock stepped";

export interface Gap {
  startUs: number;
  /** After `startUs`, except for a clock that was set back: then the spans overlap, and both are the same. */
  endUs: number;
  reason: GapReason;
  /** By how much the system's clock was set forward. */
  steppedMs?: number;
}

export interface Timeline {
  earliestUs: number;
  latestUs: number;
  spans: SpanRow[];
  gaps: Gap[];
  totals: TimelineTotals;
  /** Where the next page starts; undefined if this is the last one. */
  nextUs: number | undefined;
}

/** A smaller difference of the clocks is what their corrections amount to (NTP slews and small steps). */
const minStepMs = 1_000;
/** Sessions of one device whose distance is a few samples follow each other. */
const minGapUs = 1_000;

/** `fromUs` and `toUs` are the period, `limit` that of the query. Undefined if there is no audio of the device. */
export function timelineOf(
  rows: TimelineRows,
  fromUs: number,
  toUs: number,
  limit: number,
): Timeline | undefined {
  const { bounds, spans, losses, totals } = rows;
  if (bounds === undefined) return undefined;
  const isCut = spans.length >= limit || losses.length === limit;
  const nextUs = isCut ? spans.at(-1)!.endUs : undefined;
  const ordered = spans.toSorted((a, b) => a.startUs - b.startUs);
  const after = isCut ? undefined : rows.after;
  const neighbours = [rows.before, ...ordered, after].filter((span) => span !== undefined);
  const gaps = [...gapsBetween(neighbours), ...lossGaps(ordered, rows)];
  return {
    ...bounds,
    spans: ordered,
    gaps: gaps
      .filter((gap) => gap.endUs > fromUs && gap.startUs < toUs)
      .sort((a, b) => a.startUs - b.startUs),
    totals,
    nextUs,
  };
}

/** The time of a position in a session. */
export function timeOf({ sessionStartUs, sampleRate }: SessionFacts, position: number): number {
  return sessionStartUs + Math.round((position * 1_000_000) / sampleRate);
}

function gapsBetween(spans: readonly SpanRow[]): Gap[] {
  const gaps: Gap[] = [];
  let last: SpanRow | undefined;
  for (const span of spans) {
    if (last !== undefined) {
      const gap = gapBetween(last, span);
      if (gap !== undefined) gaps.push(gap);
    }
    if (last === undefined || span.endUs > last.endUs) last = span;
  }
  return gaps;
}

function gapBetween(last: SpanRow, span: SpanRow): Gap | undefined {
  const steppedMs = span.run === last.run ? span.steppedMs - last.steppedMs : 0;
  const period = { startUs: Math.min(last.endUs, span.startUs), endUs: span.startUs };
  if (Math.abs(steppedMs) >= minStepMs) return { ...period, reason: "clock stepped", steppedMs };
  if (span.startUs - last.endUs < minGapUs) return undefined;
  return { ...period, reason: isServerDown(last, span) ? "server down" : "silent link" };
}

/** A connection that the device ended before the server did leaves a silent link, whatever the server did later. */
function isServerDown(last: SpanRow, span: SpanRow): boolean {
  return last.ended === "server" || (last.ended === null && last.run !== span.run);
}

function lossGaps(spans: readonly SpanRow[], { losses }: TimelineRows): Gap[] {
  const bySession = Map.groupBy(losses, ({ session }) => session);
  return spans.flatMap((span) => {
    const rows = (bySession.get(span.session) ?? []).filter(
      ({ position }) => position >= span.first && position < span.past,
    );
    return rows.flatMap((row) => lossGapsOf(span, row.position, row.losses));
  });
}

function lossGapsOf(
  span: SpanRow,
  position: number,
  losses: TimelineRows["losses"][number]["losses"],
): Gap[] {
  let lost = 0;
  return losses.map(({ at, samples }) => {
    const start = position + at + lost;
    lost += samples;
    return { startUs: timeOf(span, start), endUs: timeOf(span, start + samples), reason: "lost frames" };
  });
}
