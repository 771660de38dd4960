/** What `openRead` and `follow` return: the audio of a stream as it comes. */
import type { OpenedStream, ReadResult, ReadTask } from "./read-task.ts";

/**
 * Can be read once: through `readable`, or with `for await`. Stopping early cancels it. A slow reader applies
 * backpressure: the server sends no more than a window of credit ahead.
 */
export class StreamReader implements AsyncIterable<Uint8Array> {
  readonly readable: ReadableStream<Uint8Array>;
  /** Resolves when the server opens the stream. */
  readonly opened: Promise<OpenedStream>;
  /** Resolves at the end of the audio; rejects with the error that reading throws. */
  readonly result: Promise<ReadResult>;
  readonly #task: ReadTask;
  readonly #cancelling = new AbortController();

  constructor(
    closing: AbortSignal,
    signal: AbortSignal | undefined,
    start: (signal: AbortSignal) => ReadTask,
  ) {
    const signals = signal === undefined ? [] : [signal];
    const task = start(AbortSignal.any([this.#cancelling.signal, closing, ...signals]));
    this.#task = task;
    this.opened = task.opened;
    this.result = task.run();
    // Reading throws the same error, so a program need not look at the result.
    this.result.catch(() => undefined);
    this.readable = new ReadableStream(
      {
        pull: async (controller) => {
          const bytes = await task.receiveQueue.next();
          if (bytes === undefined) controller.close();
          else controller.enqueue(bytes);
        },
        cancel: () => this.cancel(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Stops reading: `result` then resolves with the outcome `cancelled`. */
  cancel(): void {
    this.#task.cancel();
    this.#cancelling.abort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    let isOver = false;
    try {
      for (;;) {
        const bytes = await this.#task.receiveQueue.next();
        isOver = bytes === undefined;
        if (bytes === undefined) return;
        yield bytes;
      }
    } finally {
      if (!isOver) this.cancel();
    }
  }
}
