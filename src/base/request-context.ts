/**
 * Where a request or a connection comes from, beside who sends it: the id that ties together all that the log has of it,
 * and the trace that it is a part of.
 */
import { randomBytes } from "node:crypto";
import { maxRequestIdChars } from "./limits/log.ts";

/** The span of a caller (W3C Trace Context). */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  /** The caller records its trace. */
  isSampled: boolean;
}

export interface RequestContext {
  requestId: string;
  traceParent?: TraceParent | undefined;
}

/** Tells the ids of this process from those of its next run. */
const run = randomBytes(3).toString("hex");
let count = 0;

/** Short, and unique in the log. */
export function newRequestId(): string {
  count += 1;
  return `${run}-${count.toString(36)}`;
}

/** The id of the caller, its trace, or a new id. What is unfit for a log or a header is ignored, not repaired. */
export function requestContextOf(headers: Headers): RequestContext {
  const traceParent = parseTraceParent(headers.get("traceparent"));
  const sent = headers.get("x-request-id");
  const isFit = sent !== null && sent.length <= maxRequestIdChars && /^[\w.+/=:-]+$/.test(sent);
  return { requestId: isFit ? sent : (traceParent?.traceId ?? newRequestId()), traceParent };
}

const traceParentForm = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-|$)/;
const sampledFlag = 1;

/** `VERSION-TRACE-SPAN-FLAGS`; later versions may append more. https://www.w3.org/TR/trace-context/#traceparent-header */
function parseTraceParent(header: string | null): TraceParent | undefined {
  const [, traceId, spanId, flags] = traceParentForm.exec(header ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & sampledFlag) !== 0 };
}

export function formatTraceParent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}
