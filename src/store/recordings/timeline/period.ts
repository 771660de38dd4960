/** Reads the segments of a period from the catalog. */
import { WavecacheError } from "../../../base/errors.ts";
import { maxPeriodSegments, maxPeriodSpans } from "../../../base/limits/recordings.ts";
import type { SegmentRow, SourcePeriod, SpanRow, TimelineCatalog } from "./catalog.ts";

export interface PeriodRows {
  /** In the order of their ends. */
  spans: SpanRow[];
  segments: SegmentRow[];
}

/** Throws READ_TOO_LARGE. */
export function readPeriod(timeline: TimelineCatalog, period: SourcePeriod): PeriodRows {
  const { spans } = timeline.read({ ...period, limit: maxPeriodSpans + 1 });
  if (spans.length > maxPeriodSpans) throw new WavecacheError("READ_TOO_LARGE");
  const segments: SegmentRow[] = [];
  for (const span of spans) {
    const { first, past } = positionsWithin(span, period);
    const room = maxPeriodSegments - segments.length;
    const rows = timeline.segments(span.session, first, past, room + 1);
    if (rows.length > room) throw new WavecacheError("READ_TOO_LARGE");
    segments.push(...rows);
  }
  return { spans, segments };
}

/** The part of a span in the period, with a sample more on both sides: times are rounded. */
function positionsWithin(span: SpanRow, { fromUs, toUs }: SourcePeriod): { first: number; past: number } {
  const positionAt = (us: number) => ((us - span.sessionStartUs) * span.sampleRate) / 1_000_000;
  return {
    first: Math.max(span.first, Math.floor(positionAt(fromUs)) - 1),
    past: Math.min(span.past, Math.ceil(positionAt(toUs)) + 1),
  };
}
