/**
 * Downloads: GETs, pipelined where the size is known. Where it is not, one GET at a time, and the stream ends with a
 * short frame, an empty frame, an ERROR or silence. After a lost connection the download goes on at its offset.
 */
import { decodeReply, encodeGet } from "../../wire/audio-cache.ts";
import type { Connection, SocketFrame } from "../transport/connection.ts";
import { type Digests, StreamDigests } from "../digests.ts";
import { ClientError } from "../errors.ts";
import { defaultGetBytes, defaultWindowGets, maxGetBytes, maxTextBytes, maxWindowGets } from "../limits.ts";
import {
  connectionFor,
  retryPolicy,
  type TransferLimits,
  type TransferOptions,
  transferLimits,
} from "./options.ts";
import { Reassembly } from "./reassembly.ts";
import { refusalOf } from "./refusals.ts";
import { type RetryNotice, withRetries } from "../transport/retry.ts";

/** Where the bytes go, in order; the next ones come when the promise is kept. */
export interface AudioSink {
  write(bytes: Uint8Array): void | Promise<void>;
}

export interface DownloadOptions extends TransferOptions {
  streamId: string;
  sink: AudioSink;
  /** The stream's size, where it is known. */
  sizeBytes?: number;
  /** The SHA-256 the bytes must have (lower-case hex), where it is known. */
  sha256?: string;
  /** What one GET asks for. */
  getBytes?: number;
  /** GETs under way at once where the size is known. */
  windowGets?: number;
}

/** What ended a download. */
export type Ending = "size" | "short" | "empty" | "error" | "silence";

export interface DownloadResult {
  streamId: string;
  sizeBytes: number;
  digests: Digests;
  ending: Ending;
  /** Connections that were lost on the way. */
  reconnects: number;
}

/** Downloads a stream; throws ClientError, or the reason of the signal. */
export function download(options: DownloadOptions): Promise<DownloadResult> {
  return new LegacyDownload(options).run();
}

class LegacyDownload {
  readonly #options: DownloadOptions;
  readonly #limits: TransferLimits;
  readonly #known: boolean;
  readonly #endBytes: number;
  readonly #getBytes: number;
  readonly #windowGets: number;
  readonly #digests: StreamDigests;
  readonly #encoder = new TextEncoder();
  /** Bytes handed to the sink. */
  #offset = 0;
  #reconnects = 0;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#limits = transferLimits(options);
    this.#known = options.sizeBytes !== undefined;
    this.#endBytes = options.sizeBytes ?? Number.POSITIVE_INFINITY;
    this.#getBytes = checkedCount("bytes a GET", options.getBytes ?? defaultGetBytes, maxGetBytes);
    const window = checkedCount("GETs at once", options.windowGets ?? defaultWindowGets, maxWindowGets);
    this.#windowGets = this.#known ? window : 1;
    this.#digests = new StreamDigests(options.platform, options.digests ?? ["sha256"]);
    checkId(options.streamId);
  }

  async run(): Promise<DownloadResult> {
    const { signal, streamId } = this.#options;
    const hooks = { signal, progress: () => this.#offset, onRetry: this.#retried };
    const ending = await withRetries(retryPolicy(this.#options), hooks, () => this.#attempt());
    const digests = this.#digests.finish();
    this.#verify(digests);
    return { streamId, sizeBytes: this.#offset, digests, ending, reconnects: this.#reconnects };
  }

  readonly #retried = (notice: RetryNotice): void => {
    this.#reconnects++;
    this.#options.onEvent?.({ type: "retrying", ...notice });
  };

  async #attempt(): Promise<Ending> {
    if (this.#offset >= this.#endBytes) return "size";
    const { onEvent, streamId } = this.#options;
    const connection = await connectionFor(this.#options, this.#limits);
    try {
      onEvent?.({ type: "reading", streamId, offset: this.#offset });
      return await this.#read(connection);
    } finally {
      connection.close();
    }
  }

  async #read(connection: Connection): Promise<Ending> {
    const from = this.#offset;
    const ranges = new Reassembly(from, this.#endBytes, this.#getBytes, this.#windowGets);
    let first = true;
    while (!ranges.done) {
      this.#ask(connection, ranges);
      const frame = await this.#answer(connection);
      if (frame === undefined) return this.#silent();
      const reply = typeof frame === "string" ? decodeReply(frame) : undefined;
      const greeting = first && reply?.type === "CONNECTED";
      first = false;
      if (greeting) continue;
      if (reply?.type === "ERROR") return this.#refused(reply.message, this.#offset > from);
      const outcome = ranges.answer(this.#bytesOf(frame));
      if (outcome === "unasked") throw new ClientError("UNEXPECTED", "it sends data that nobody asked for");
      await this.#pass(ranges);
      if (outcome === "empty") return this.#ended("empty");
      if (outcome === "short" && !this.#known) return "short";
    }
    return "size";
  }

  #ask(connection: Connection, ranges: Reassembly): void {
    for (let range = ranges.next(); range !== undefined; range = ranges.next()) {
      connection.send(encodeGet(this.#options.streamId, range.offset, range.length));
    }
  }

  async #answer(connection: Connection): Promise<SocketFrame | undefined> {
    const here = connection.take();
    if (here !== undefined) return here;
    // Where nothing came yet, silence is a slow server and not the end.
    const ends = !this.#known && this.#offset > 0;
    const waitMs = ends ? this.#limits.endIdleMs : this.#limits.answerTimeoutMs;
    return connection.receive(performance.now() + waitMs);
  }

  /** Some servers send data as text: while a GET is open, text that is no ERROR is data. */
  #bytesOf(frame: SocketFrame): Uint8Array {
    return typeof frame === "string" ? this.#encoder.encode(frame) : frame;
  }

  async #pass(ranges: Reassembly): Promise<void> {
    for (let bytes = ranges.take(); bytes !== undefined; bytes = ranges.take()) {
      this.#digests.update(this.#offset, bytes);
      const written = this.#options.sink.write(bytes);
      this.#offset += bytes.length;
      if (written !== undefined) await written;
      this.#options.onProgress?.(this.#offset);
    }
  }

  #silent(): Ending {
    if (!this.#known && this.#offset > 0) return "silence";
    throw new ClientError("ANSWER_TIMEOUT", `GET at ${this.#offset} was not answered`);
  }

  /** ERROR to a GET is the end of a stream of unknown size, if it comes after data or speaks of the end. */
  #refused(message: string, afterData: boolean): Ending {
    const error = refusalOf(message);
    if (error.again) throw error;
    if (!this.#known && (afterData || /no data/i.test(message))) return "error";
    throw error;
  }

  #ended(ending: Ending): Ending {
    if (!this.#known) return ending;
    throw new ClientError("INCOMPLETE", `${this.#offset} of ${this.#endBytes} bytes`);
  }

  #verify(digests: Digests): void {
    const expected = this.#options.sha256;
    if (expected === undefined || digests.sha256 === undefined || digests.sha256 === expected) return;
    throw new ClientError("MISMATCH", `SHA-256 is ${digests.sha256} instead of ${expected}`);
  }
}

function checkedCount(what: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new ClientError("BAD_ARGUMENT", `${value} ${what}`, `use 1 to ${max}`);
}

/** Other servers may allow other ids than ours; what counts is that a GET with it stays a short message. */
function checkId(streamId: string): void {
  const longest = encodeGet(streamId, Number.MAX_SAFE_INTEGER, maxGetBytes);
  const bytes = new TextEncoder().encode(longest).length;
  if (streamId !== "" && bytes < maxTextBytes) return;
  throw new ClientError(
    "BAD_ARGUMENT",
    "stream id is empty or too long",
    "list the streams to see their ids",
  );
}
