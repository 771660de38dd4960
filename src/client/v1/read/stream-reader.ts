/** A stream that is read or followed, as its reader sees it. */
import type { OpenedStream, ReadResult, ReadTask } from "./read-task.ts";

/**
 * Read it once: as `readable`, or with `for await`. Who stops early cancels it. Nothing is asked for beyond a window
 * of credit that the reader has not taken.
 */
export class StreamReader implements AsyncIterable<Uint8Array> {
  readonly readable: ReadableStream<Uint8Array>;
  /** What the server said as it began. */
  readonly opened: Promise<OpenedStream>;
  /** How it ended; rejects with what the reader gets. */
  readonly result: Promise<ReadResult>;
  readonly #task: ReadTask;
  readonly #ending = new AbortController();

  constructor(
    closing: AbortSignal,
    signal: AbortSignal | undefined,
    start: (signal: AbortSignal) => ReadTask,
  ) {
    const signals = signal === undefined ? [] : [signal];
    const task = start(AbortSignal.any([this.#ending.signal, closing, ...signals]));
    this.#task = task;
    this.opened = task.opened;
    this.result = task.run();
    // Whoever does not ask for the result learns of a failure by reading.
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

  /** Wants no more. */
  cancel(): void {
    this.#task.cancel();
    this.#ending.abort();
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
