/**
 * Lines for a descriptor that may be slow, full or closed, such as a log that goes to a pipe. They wait in a bounded
 * queue; a line that cannot be written is dropped and counted, and the next one is tried. No failure reaches the caller.
 */
import { write } from "node:fs";
import { systemCode } from "../errors.ts";
import { logRetryMs, maxWaitingLogBytes } from "../limits/log.ts";

interface Line {
  bytes: Buffer;
  /** How many lost lines it reports; 0 for a line of the caller. */
  reports: number;
}

const newline = 0x0a;
const lineBreak = Buffer.of(newline);

export class LineWriter {
  readonly #descriptor: number;
  readonly #describeLoss: (lines: number) => string;
  #waiting: Line[] = [];
  /** Of the lines that wait or are being written. */
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  /** Dropped, and not reported yet. */
  #unreported = 0;
  /** Whether the last write ended within a line. */
  #isTorn = false;
  /** Since the start. */
  droppedLines = 0;

  /** `describeLoss` makes the line that says how many lines are missing before it. */
  constructor(descriptor: number, describeLoss: (lines: number) => string) {
    this.#descriptor = descriptor;
    this.#describeLoss = describeLoss;
  }

  /** `text` ends with a line break and has no other. */
  write(text: string): void {
    const line = { bytes: Buffer.from(text), reports: 0 };
    if (this.#waitingBytes + line.bytes.length > maxWaitingLogBytes) return this.#drop(line);
    if (this.#unreported > 0) {
      this.#enqueue({ bytes: Buffer.from(this.#describeLoss(this.#unreported)), reports: this.#unreported });
      this.#unreported = 0;
    }
    this.#enqueue(line);
    this.#writing ??= this.#writeWaiting();
  }

  /** Resolves once every line is written or dropped, or after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    await Promise.race([this.#writing, Bun.sleep(limitMs)]);
  }

  #enqueue(line: Line): void {
    this.#waiting.push(line);
    this.#waitingBytes += line.bytes.length;
  }

  #drop({ reports }: Line): void {
    if (reports === 0) this.droppedLines += 1;
    this.#unreported += reports === 0 ? 1 : reports;
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      await this.#writeLines(lines);
      for (const { bytes } of lines) this.#waitingBytes -= bytes.length;
    }
    this.#writing = undefined;
  }

  async #writeLines(lines: readonly Line[]): Promise<void> {
    const start = this.#isTorn ? [lineBreak] : [];
    const bytes = Buffer.concat([...start, ...lines.map((line) => line.bytes)]);
    const written = await this.#writeUntilFailure(bytes);
    if (written > 0) this.#isTorn = bytes[written - 1] !== newline;
    let end = start.length;
    for (const line of lines) {
      end += line.bytes.length;
      if (end > written) this.#drop(line);
    }
  }

  /** Returns how many bytes were written. */
  async #writeUntilFailure(bytes: Buffer): Promise<number> {
    let written = 0;
    while (written < bytes.length) {
      try {
        written += await writeSome(this.#descriptor, bytes.subarray(written));
      } catch (error) {
        if (systemCode(error) !== "EAGAIN") return written;
        await Bun.sleep(logRetryMs);
      }
    }
    return written;
  }
}

/**
 * Resolves with the number of bytes that were written. The write blocks a thread of Bun's pool: a reader that stops
 * reading must not block the main thread.
 */
function writeSome(descriptor: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, 0, bytes.length, null, (error, written) =>
      error === null ? resolve(written) : reject(error),
    );
  });
}
