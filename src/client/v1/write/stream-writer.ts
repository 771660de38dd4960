/** A stream that is written, as its writer sees it. */
import type { MemoryReplayBuffer } from "./replay-buffer.ts";
import type { Receipt, WriteProgress, WriteTask } from "./write-task.ts";

/**
 * Closing `writable` finishes the stream and resolves once it is durable at the server; aborting it leaves the stream
 * unfinished, to be resumed. What is written is kept in memory until it is durable; a writer that is faster waits.
 */
export class StreamWriter {
  readonly id: string;
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves when the finished stream is durable; rejects with what ended the upload. */
  readonly receipt: Promise<Receipt>;
  readonly #task: WriteTask;
  readonly #ending = new AbortController();

  constructor(
    replay: MemoryReplayBuffer,
    closing: AbortSignal,
    signal: AbortSignal | undefined,
    start: (signal: AbortSignal) => WriteTask,
  ) {
    const signals = signal === undefined ? [] : [signal];
    const task = start(AbortSignal.any([this.#ending.signal, closing, ...signals]));
    this.#task = task;
    this.id = task.id;
    this.receipt = task.run();
    this.writable = new WritableStream({
      start: (controller) => {
        // Fails the writer at once, and is what handles the rejection where nobody asks for the receipt.
        this.receipt.catch((error: unknown) => controller.error(error));
      },
      write: async (bytes) => {
        await replay.write(bytes);
      },
      close: async () => {
        replay.end();
        await this.receipt;
      },
      abort: (reason) => this.#ending.abort(reason),
    });
  }

  /** How far the server has written the stream, and how far it is durable. */
  get progress(): WriteProgress {
    return this.#task.progress;
  }

  /** Ends the upload and throws away what the server has of it, as far as it can be told. */
  discard(reason: unknown = new DOMException("discarded", "AbortError")): void {
    this.#task.discard();
    this.#ending.abort(reason);
  }
}
