/** Traces: which work the server did for whom, and how long it took. Off, it costs a call that does nothing. */
import type { TraceParent } from "../request-context.ts";

export type SpanName = "upload" | "commit" | "read" | "recording segment" | "webhook";

export type SpanAttributes = Record<string, string | number | boolean | undefined>;

/** A piece of work with a begin and an end. */
export interface Span {
  /** Makes other spans parts of this one, also those of other programs. Undefined if the span is not recorded. */
  readonly context: TraceParent | undefined;
  /** Ends the span, with what is known by then, and the error if that ended it. */
  end(attributes?: SpanAttributes, error?: unknown): void;
}

export interface TraceFigures {
  exported: number;
  /** Lost, since the collector did not take them. */
  failed: number;
}

export interface Tracer {
  readonly figures: TraceFigures;
  /** Begins a span, as a part of `parent` if there is one. */
  start(name: SpanName, attributes: SpanAttributes, parent?: TraceParent): Span;
  /** Sends what is left. */
  close(): Promise<void>;
}

const noSpan: Span = { context: undefined, end: () => undefined };

export const noTracer: Tracer = {
  figures: { exported: 0, failed: 0 },
  start: () => noSpan,
  close: () => Promise.resolve(),
};
