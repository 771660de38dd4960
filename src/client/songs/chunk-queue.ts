/** The queue between a song transfer and its reader. */
import { songChunkBytes } from "../limits.ts";
import type { SongDownload, SongResult } from "./song.ts";

export interface ChunkQueueHandlers {
  /** The reader has read bytes. */
  onRead(bytes: number): void;
  /** The reader has stopped before the end. */
  onCancel(): void;
}

export class ChunkQueue {
  readonly #handlers: ChunkQueueHandlers;
  readonly #result = Promise.withResolvers<SongResult>();
  #parts: Uint8Array[] = [];
  #waitingBytes = 0;
  #readBytes = 0;
  #end: SongResult | undefined;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(handlers: ChunkQueueHandlers) {
    this.#handlers = handlers;
    // Reading the chunks throws the same error, so a program need not look at the result.
    this.#result.promise.catch(() => undefined);
  }

  /** Bytes received and not read yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get isOver(): boolean {
    return this.#end !== undefined || this.#failure !== undefined;
  }

  /** Adds bytes without a copy: they must not change afterwards. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.isOver) return;
    this.#parts.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#notify();
  }

  /** Ends the queue; what it holds can still be read. */
  finish(result: SongResult): void {
    if (this.isOver) return;
    this.#end = result;
    this.#result.resolve(result);
    this.#notify();
  }

  /** Fails the queue; what it holds can still be read before the error. */
  fail(error: unknown): void {
    if (this.isOver) return;
    this.#failure = { error };
    this.#result.reject(error);
    this.#notify();
  }

  /** The download that reads from this queue. */
  download(about: { size: number | undefined; sha256: string | undefined }): SongDownload {
    return { ...about, chunks: this.#read(), result: this.#result.promise };
  }

  async *#read(): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        if (this.#parts.length > 0) yield this.#takeChunk();
        else if (this.#failure !== undefined) throw this.#failure.error;
        else if (this.#end !== undefined) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      if (!this.isOver) {
        this.#handlers.onCancel();
        this.finish({ bytes: this.#readBytes, complete: false, verified: false });
      }
      this.#parts = [];
    }
  }

  /** Joins the first parts to one chunk of up to `songChunkBytes`. */
  #takeChunk(): Uint8Array {
    let count = 0;
    let bytes = 0;
    while (
      count < this.#parts.length &&
      (count === 0 || bytes + this.#parts[count]!.length <= songChunkBytes)
    )
      bytes += this.#parts[count++]!.length;
    const chunk = new Uint8Array(bytes);
    let at = 0;
    for (const part of this.#parts.splice(0, count)) {
      chunk.set(part, at);
      at += part.length;
    }
    this.#waitingBytes -= bytes;
    this.#readBytes += bytes;
    this.#handlers.onRead(bytes);
    return chunk;
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
