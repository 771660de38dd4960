import type { RequestContext } from "../../base/request-context.ts";
import type { Tracer } from "../../base/tracing/tracer.ts";

/** Begins the span of a read. The returned function ends it, and releases what is read. */
export function beginRead(
  tracer: Tracer,
  streamId: string,
  context: RequestContext | undefined,
  release: () => void,
): () => void {
  const attributes = { "wavecache.stream": streamId, "wavecache.request": context?.requestId };
  const span = tracer.start("read", attributes, context?.traceParent);
  return () => {
    span.end();
    release();
  };
}
