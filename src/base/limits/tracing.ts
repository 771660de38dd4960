/** Limits of traces. */
import { mustHold } from "./relation.ts";

/** Spans that wait to be sent; more are dropped. */
export const maxQueuedSpans = 2_048;
export const maxSpansPerExport = 512;
/** Spans wait this long for others that go with them. */
export const spanDelayMs = 1_000;
/** A collector that takes longer loses the spans of its request. */
export const exportTimeoutMs = 5_000;
/** At a shutdown the last spans have this long; then they are dropped. */
export const traceFlushMs = 1_000;

mustHold("a full export fits the queue", maxSpansPerExport <= maxQueuedSpans);
