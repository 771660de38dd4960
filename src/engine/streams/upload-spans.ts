/** The spans of uploads, from the request that begins or resumes one until it is durable or interrupted. */
import type { Span, SpanAttributes, Tracer } from "../../base/tracing/tracer.ts";
import type { Upload } from "./upload.ts";

export class UploadSpans {
  readonly #tracer: Tracer;
  readonly #open = new Map<Upload, Span>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** `how` the client asks for the stream. */
  begin(upload: Upload, how: string): void {
    const { streamId, context } = upload;
    const attributes = {
      "wavecache.stream": streamId,
      "wavecache.how": how,
      "wavecache.request": context?.requestId,
    };
    this.#open.set(upload, this.#tracer.start("upload", attributes, context?.traceParent));
  }

  /** Its audio is complete, and is made durable. */
  beginCommit(upload: Upload): Span {
    return this.#tracer.start(
      "commit",
      { "wavecache.bytes": upload.receivedBytes },
      this.#open.get(upload)?.context,
    );
  }

  /** The first end counts. */
  end(upload: Upload, attributes: SpanAttributes): void {
    this.#open.get(upload)?.end({ ...attributes, "wavecache.bytes": upload.receivedBytes });
    this.#open.delete(upload);
  }
}
