/** Bytes on their way from a transfer to its reader: in at one end as they come, out at the other as they are wanted. */
import { songChunkBytes } from "../limits.ts";
import type { SongDownload, SongResult } from "./song.ts";

export interface ChunkQueueHandlers {
  /** The reader has taken bytes. */
  taken(bytes: number): void;
  /** The reader wants no more, before the end. */
  left(): void;
}

export class ChunkQueue {
  readonly #source: ChunkQueueHandlers;
  readonly #result = Promise.withResolvers<SongResult>();
  #parts: Uint8Array[] = [];
  #waitingBytes = 0;
  #takenBytes = 0;
  #end: SongResult | undefined;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(source: ChunkQueueHandlers) {
    this.#source = source;
    // Whoever reads the chunks meets the same error there, and may never look at the result.
    this.#result.promise.catch(() => undefined);
  }

  /** Bytes that came and were not read. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get isOver(): boolean {
    return this.#end !== undefined || this.#failure !== undefined;
  }

  /** Takes the bytes as they are: they must not be changed afterwards. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.isOver) return;
    this.#parts.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#notify();
  }

  /** The transfer is over; what is waiting can still be read. */
  finish(result: SongResult): void {
    if (this.isOver) return;
    this.#end = result;
    this.#result.resolve(result);
    this.#notify();
  }

  /** The transfer has failed; what is waiting can still be read before the error. */
  fail(error: unknown): void {
    if (this.isOver) return;
    this.#failure = { error };
    this.#result.reject(error);
    this.#notify();
  }

  download(about: { size: number | undefined; sha256: string | undefined }): SongDownload {
    return { ...about, chunks: this.#read(), result: this.#result.promise };
  }

  async *#read(): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        if (this.#parts.length > 0) yield this.#take();
        else if (this.#failure !== undefined) throw this.#failure.error;
        else if (this.#end !== undefined) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      if (!this.isOver) {
        this.#source.left();
        this.finish({ bytes: this.#takenBytes, complete: false, verified: false });
      }
      this.#parts = [];
    }
  }

  /** The parts that are waiting as one chunk of a useful size. */
  #take(): Uint8Array {
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
    this.#takenBytes += bytes;
    this.#source.taken(bytes);
    return chunk;
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
