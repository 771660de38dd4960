/**
 * Downloads over the older protocol. If the size is known, GETs are pipelined. Otherwise there is one GET at a time, and
 * a short frame, an empty frame, an ERROR or a timeout ends the stream. After a lost connection the download resumes at
 * its offset.
 */
import { decodeReply, encodeGet, type Reply } from "../../wire/audio-cache.ts";
import { connect, type Connection, type SocketFrame } from "../transport/connection.ts";
import { type Digests, StreamDigests } from "../digests.ts";
import { ClientError } from "../errors.ts";
import {
  defaultGetBytes,
  greetingMs,
  defaultWindowGets,
  maxGetBytes,
  maxTextBytes,
  maxWindowGets,
} from "../limits.ts";
import {
  connectionFor,
  retryPolicy,
  type TransferLimits,
  type TransferOptions,
  transferLimits,
} from "./options.ts";
import { Reassembly } from "./reassembly.ts";
import { refusalAmong, refusalOf } from "./refusals.ts";
import { type RetryNotice, withRetries } from "../transport/retry.ts";
import { shownUrl } from "../transport/credential.ts";

/** Receives the bytes in order. The next bytes come once the promise has resolved. */
export interface AudioSink {
  write(bytes: Uint8Array): void | Promise<void>;
}

export interface DownloadOptions extends TransferOptions {
  streamId: string;
  sink: AudioSink;
  /** The first byte, 0 by default. From another one on there are no digests, and `sha256` is not compared. */
  offset?: number;
  /** The stream's size in bytes, if it is known. */
  sizeBytes?: number;
  /** The expected SHA-256 in lower-case hex, if it is known. */
  sha256?: string;
  /** Bytes that one GET requests, 1 to 16 MiB; 64 KiB by default. */
  getBytes?: number;
  /** GETs in flight if the size is known, 1 to 256; 16 by default. */
  windowGets?: number;
}

/** What ended a download; only `size` and `sha256` together prove that it is whole. */
export type Ending = "size" | "short" | "empty" | "error" | "timeout";

export interface DownloadResult {
  streamId: string;
  sizeBytes: number;
  digests: Digests;
  ending: Ending;
  /** Connections lost during the download. */
  reconnects: number;
}

/**
 * Downloads a stream to the sink. Throws BAD_ARGUMENT, REFUSED (such as an unknown stream), INCOMPLETE, MISMATCH (the
 * SHA-256 is not the expected one), errors of the connection after the policy's retries, or the reason of the signal.
 */
export function download(options: DownloadOptions): Promise<DownloadResult> {
  return new LegacyDownload(options).run();
}

class LegacyDownload {
  readonly #options: DownloadOptions;
  readonly #limits: TransferLimits;
  /** Whether the size is known. */
  readonly #isSizeKnown: boolean;
  readonly #endBytes: number;
  readonly #getBytes: number;
  readonly #windowGets: number;
  readonly #digests: StreamDigests;
  readonly #encoder = new TextEncoder();
  readonly #fromBytes: number;
  /** Of the next byte to write to the sink. */
  #offset: number;
  #reconnects = 0;
  /** The server answers GETs with binary frames: it has done so once. */
  #hasBinaryAnswers = false;
  /** The server sends audio as text that is not UTF-8: connections accept it. */
  #isLenient = false;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#limits = transferLimits(options);
    this.#isSizeKnown = options.sizeBytes !== undefined;
    this.#endBytes = options.sizeBytes ?? Number.POSITIVE_INFINITY;
    this.#getBytes = checkedCount("bytes per GET", options.getBytes ?? defaultGetBytes, maxGetBytes);
    const window = checkedCount("GETs at once", options.windowGets ?? defaultWindowGets, maxWindowGets);
    this.#windowGets = this.#isSizeKnown ? window : 1;
    this.#offset = options.offset ?? 0;
    this.#fromBytes = this.#offset;
    const names = this.#offset > 0 ? [] : (options.digests ?? ["sha256"]);
    this.#digests = new StreamDigests(options.platform, names);
    checkId(options.streamId);
  }

  async run(): Promise<DownloadResult> {
    const { signal, streamId } = this.#options;
    const hooks = { signal, progress: () => this.#offset, onRetry: this.#onRetry };
    const ending = await withRetries(retryPolicy(this.#options), hooks, () => this.#attempt());
    const digests = this.#digests.values();
    this.#verify(digests);
    return { streamId, sizeBytes: this.#offset, digests, ending, reconnects: this.#reconnects };
  }

  readonly #onRetry = (notice: RetryNotice): void => {
    this.#reconnects++;
    this.#options.onEvent?.({ type: "retrying", ...notice });
  };

  async #attempt(): Promise<Ending> {
    if (this.#offset >= this.#endBytes) return "size";
    const { onEvent, streamId, platform } = this.#options;
    const connection = await this.#connect();
    try {
      onEvent?.({ type: "reading", streamId, offset: this.#offset });
      return await this.#read(connection);
    } catch (error) {
      const isText = error instanceof ClientError && error.code === "TEXT_NOT_UTF8";
      if (!isText || this.#isLenient || platform.openLenientSocket === undefined) throw error;
      this.#isLenient = true;
    } finally {
      connection.close();
    }
    return await this.#attempt();
  }

  #connect(): Promise<Connection> {
    const { platform, url, signal, onEvent } = this.#options;
    if (!this.#isLenient) return connectionFor(this.#options, this.#limits);
    onEvent?.({ type: "connecting", url: shownUrl(url) });
    return connect({ openSocket: (to) => platform.openLenientSocket!(to) }, url, signal, this.#limits);
  }

  async #read(connection: Connection): Promise<Ending> {
    const from = this.#offset;
    const ranges = new Reassembly(from, this.#endBytes, this.#getBytes, this.#windowGets);
    // What the server has sent by now, such as a greeting, answers no GET.
    const refusal = refusalAmong(connection.drain());
    if (refusal !== undefined) throw refusal;
    let isFirst = true;
    while (!ranges.done) {
      this.#request(connection, ranges);
      const frame = await this.#nextAnswer(connection);
      if (frame === undefined) return this.#endByTimeout();
      const reply = typeof frame === "string" ? decodeReply(frame) : undefined;
      if (reply?.type === "ERROR") return this.#endByError(reply.message, this.#offset > from);
      if (isFirst && (await this.#isGreeting(frame, reply, ranges, connection))) continue;
      isFirst = false;
      this.#hasBinaryAnswers ||= typeof frame !== "string";
      const outcome = ranges.answer(this.#bytesOf(frame));
      if (outcome === "unrequested") {
        throw new ClientError("UNEXPECTED", "it sends data that was not requested");
      }
      await this.#writeReady(ranges);
      if (outcome === "empty") return this.#endByEmptyFrame();
      if (outcome === "short" && !this.#isSizeKnown) return "short";
    }
    return "size";
  }

  /**
   * Whether a frame before the first answer on a connection is text that the server sends by itself. Unless it is known
   * for one, only the next frame tells it from audio in a text frame: answers of one server have one type.
   */
  async #isGreeting(
    frame: SocketFrame,
    reply: Reply | undefined,
    ranges: Reassembly,
    connection: Connection,
  ): Promise<boolean> {
    if (typeof frame !== "string") return false;
    if (reply?.type === "CONNECTED") return true;
    // Here text and binary frames do not tell a greeting from audio.
    if (this.#isLenient) return false;
    if (this.#hasBinaryAnswers) return true;
    if (this.#bytesOf(frame).length === ranges.awaitedBytes) return false;
    const next = await connection.peek(performance.now() + Math.min(this.#limits.endIdleMs, greetingMs));
    return next !== undefined && typeof next !== "string";
  }

  #request(connection: Connection, ranges: Reassembly): void {
    for (let range = ranges.next(); range !== undefined; range = ranges.next()) {
      connection.send(encodeGet(this.#options.streamId, range.offset, range.length));
    }
  }

  async #nextAnswer(connection: Connection): Promise<SocketFrame | undefined> {
    const received = connection.poll();
    if (received !== undefined) return received;
    // Before the first byte, a timeout means a slow server, not the end.
    const canEnd = !this.#isSizeKnown && this.#offset > 0;
    const waitMs = canEnd ? this.#limits.endIdleMs : this.#limits.answerTimeoutMs;
    return connection.receive(performance.now() + waitMs);
  }

  /** Some servers send data as text: any text but an ERROR is data while a GET is in flight. */
  #bytesOf(frame: SocketFrame): Uint8Array {
    return typeof frame === "string" ? this.#encoder.encode(frame) : frame;
  }

  async #writeReady(ranges: Reassembly): Promise<void> {
    for (let bytes = ranges.take(); bytes !== undefined; bytes = ranges.take()) {
      if (this.#fromBytes === 0) this.#digests.update(this.#offset, bytes);
      const written = this.#options.sink.write(bytes);
      this.#offset += bytes.length;
      if (written !== undefined) await written;
      this.#options.onProgress?.(this.#offset);
    }
  }

  #endByTimeout(): Ending {
    if (!this.#isSizeKnown && this.#offset > 0) return "timeout";
    throw new ClientError("ANSWER_TIMEOUT", `the GET at offset ${this.#offset}`);
  }

  /** An ERROR ends a stream of unknown size if it comes after data, or says that there is no data. */
  #endByError(message: string, afterData: boolean): Ending {
    const error = refusalOf(message);
    if (error.again) throw error;
    if (!this.#isSizeKnown && (afterData || /no data/i.test(message))) return "error";
    throw error;
  }

  #endByEmptyFrame(): Ending {
    if (!this.#isSizeKnown) return "empty";
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

/** Other servers may allow other ids. The only limit here is that a GET stays a short message. */
function checkId(streamId: string): void {
  const longest = encodeGet(streamId, Number.MAX_SAFE_INTEGER, maxGetBytes);
  const bytes = new TextEncoder().encode(longest).length;
  if (streamId !== "" && bytes < maxTextBytes) return;
  throw new ClientError(
    "BAD_ARGUMENT",
    "the stream id is empty or too long",
    "list the streams to see their ids",
  );
}
