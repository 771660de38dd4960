import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { until } from "../../testing/harness/until.ts";
import { maxWaitingLogBytes } from "../limits/log.ts";
import { LineWriter } from "./line-writer.ts";

const waitMs = 5_000;
const open: number[] = [];

afterEach(() => {
  for (const descriptor of open.splice(0)) closeSync(descriptor);
});

function opened(path: string, flags: number): number {
  const descriptor = openSync(path, flags);
  open.push(descriptor);
  return descriptor;
}

function closed(descriptor: number): void {
  closeSync(descriptor);
  open.splice(open.indexOf(descriptor), 1);
}

const describeLoss = (lines: number): string => `${lines} lost\n`;

/** A pipe with a name, so that a test can take the reader away and bring another one. */
class Pipe implements Disposable {
  readonly #folder = temporaryFolder();
  readonly #path = join(this.#folder.path, "pipe");
  reader: number;
  readonly writer: number;

  constructor() {
    expect(Bun.spawnSync(["mkfifo", this.#path]).exitCode).toBe(0);
    this.reader = this.openReader();
    this.writer = opened(this.#path, constants.O_WRONLY);
  }

  openReader(): number {
    this.reader = opened(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    return this.reader;
  }

  /** Everything that waits in the pipe. */
  read(): string {
    const bytes = Buffer.alloc(4 * maxWaitingLogBytes);
    let filled = 0;
    try {
      for (;;) {
        const count = readSync(this.reader, bytes, filled, bytes.length - filled, null);
        if (count === 0) break;
        filled += count;
      }
    } catch (error) {
      expect(error).toMatchObject({ code: "EAGAIN" });
    }
    return bytes.toString("utf8", 0, filled);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

describe("a line writer", () => {
  test("writes lines in order", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "log");
    const writer = new LineWriter(opened(path, constants.O_WRONLY | constants.O_CREAT), describeLoss);
    for (let line = 0; line < 1000; line++) writer.write(`line ${line} ä\n`);
    await writer.flush(waitMs);
    const expected = Array.from({ length: 1000 }, (_, line) => `line ${line} ä\n`);
    expect(readFileSync(path, "utf8")).toBe(expected.join(""));
    expect(writer.droppedLines).toBe(0);
  });

  test.skipIf(process.platform !== "linux")("drops and counts lines on a full disk", async () => {
    const writer = new LineWriter(opened("/dev/full", constants.O_WRONLY), describeLoss);
    writer.write("one\n");
    await writer.flush(waitMs);
    writer.write("two\n");
    writer.write("three\n");
    await writer.flush(waitMs);
    expect(writer.droppedLines).toBe(3);
  });

  test("drops lines without a reader, and tells the next reader how many", async () => {
    using pipe = new Pipe();
    const writer = new LineWriter(pipe.writer, describeLoss);
    closed(pipe.reader);
    writer.write("one\n");
    writer.write("two\n");
    await writer.flush(waitMs);
    expect(writer.droppedLines).toBe(2);
    pipe.openReader();
    writer.write("three\n");
    await writer.flush(waitMs);
    writer.write("four\n");
    await writer.flush(waitMs);
    expect(pipe.read()).toBe("2 lost\nthree\nfour\n");
    expect(writer.droppedLines).toBe(2);
  });

  test("waits for a reader that stopped reading, in bounded memory and without blocking", async () => {
    using pipe = new Pipe();
    const writer = new LineWriter(pipe.writer, describeLoss);
    const line = `${"x".repeat(999)}\n`;
    const count = (3 * maxWaitingLogBytes) / line.length;
    for (let written = 0; written < count; written++) writer.write(line);
    expect(writer.droppedLines).toBeGreaterThan(1.5 * (maxWaitingLogBytes / line.length));
    const begun = performance.now();
    await writer.flush(50);
    expect(performance.now() - begun).toBeLessThan(waitMs);
    let received = "";
    const kept = Math.ceil(count) - writer.droppedLines;
    await until("the lines that were kept", waitMs, () => {
      received += pipe.read();
      return received.length >= kept * line.length;
    });
    writer.write("last\n");
    await writer.flush(waitMs);
    received += pipe.read();
    expect(received).toBe(`${line.repeat(kept)}${writer.droppedLines} lost\nlast\n`);
  });

  test("begins a new line after one that it could not finish", async () => {
    using pipe = new Pipe();
    const writer = new LineWriter(pipe.writer, describeLoss);
    // More than a pipe holds: the write ends in the middle when the reader leaves.
    writer.write(`${"x".repeat(500_000)}\n`);
    await until("the pipe to fill", waitMs, () => readAhead(pipe) > 0);
    closed(pipe.reader);
    await writer.flush(waitMs);
    expect(writer.droppedLines).toBe(1);
    pipe.openReader();
    writer.write("next\n");
    // The pipe still holds what the first reader left.
    let received = "";
    await until("the next line", waitMs, () => {
      received += pipe.read();
      return received.endsWith("next\n");
    });
    expect(received).toMatch(/x\n1 lost\nnext\n$/);
  });
});

/** Takes one byte out of the pipe, which shows that the writer has begun. */
function readAhead(pipe: Pipe): number {
  try {
    return readSync(pipe.reader, Buffer.alloc(1), 0, 1, null);
  } catch (error) {
    expect(error).toMatchObject({ code: "EAGAIN" });
    return 0;
  }
}
