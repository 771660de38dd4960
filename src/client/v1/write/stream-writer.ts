/** What `openWrite` returns: an upload that a program writes piece by piece. */
import type { MemoryReplayBuffer } from "./replay-buffer.ts";
import type { Receipt, WriteProgress, WriteTask } from "./write-task.ts";

export class StreamWriter {
  readonly id: string;
  /**
   * Writes wait while too many bytes are not durable yet. Closing it finishes the stream and resolves once the stream is
   * durable. Aborting it leaves the stream unfinished at the server, to be resumed.
   */
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves once the finished stream is durable; rejects with the error that ended the upload. */
  readonly receipt: Promise<Receipt>;
  readonly #task: WriteTask;
  readonly #aborting = new AbortController();

  constructor(
    replay: MemoryReplayBuffer,
    closing: AbortSignal,
    signal: AbortSignal | undefined,
    start: (signal: AbortSignal) => WriteTask,
  ) {
    const signals = signal === undefined ? [] : [signal];
    const task = start(AbortSignal.any([this.#aborting.signal, closing, ...signals]));
    this.#task = task;
    this.id = task.id;
    this.receipt = task.run();
    this.writable = new WritableStream({
      start: (controller) => {
        // Errors the stream at once. It also handles the rejection if the program never awaits the receipt.
        this.receipt.catch((error: unknown) => controller.error(error));
      },
      write: async (bytes) => {
        await replay.write(bytes);
      },
      close: async () => {
        replay.end();
        await this.receipt;
      },
      abort: (reason) => this.#aborting.abort(reason),
    });
  }

  /** Bytes that the server has written, and bytes that are durable there. */
  get progress(): WriteProgress {
    return this.#task.progress;
  }

  /** Aborts the upload and asks the server to remove what it has; without a connection the stream stays there. */
  discard(reason: unknown = new DOMException("discarded", "AbortError")): void {
    this.#task.discard();
    this.#aborting.abort(reason);
  }
}
