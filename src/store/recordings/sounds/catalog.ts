/** When devices sounded, and when they were silent. */

export interface SoundSpan {
  /** The sanitised hardware id; null if the device did not send one. */
  device: string | null;
  streamId: number;
  kind: "sound" | "silence";
  /** In ms since 1970. */
  startedAt: number;
  /** Null while it goes on. */
  endedAt: number | null;
}

/** The last span of a page; the next page starts after it. */
export interface SpanCursor {
  startedAt: number;
  streamId: number;
}

export interface SpanQuery {
  /** The sanitised hardware id, or `#` and the stream id of a device without one. */
  source: string;
  /** Spans that overlap this time, in ms since 1970; `to` is exclusive. */
  from: number;
  to: number;
  kind: SoundSpan["kind"] | undefined;
  after: SpanCursor | undefined;
  limit: number;
}

export interface SpanCatalog {
  /** Inserts spans, or ends those that are there. */
  save(spans: readonly SoundSpan[]): void;
  /** Ends the spans that a crash has left open, where the last recording of their device ends. */
  endAll(): void;
  /** Ordered by `startedAt`, then by stream. */
  list(query: SpanQuery): SoundSpan[];
}
