/**
 * A read over as many connections as it takes: READ or FOLLOW, audio, END. After a lost connection it resumes at the
 * next byte needed.
 */
import type { ClientMessage, Data, End, FollowSource, Opened, Outcome } from "../../../wire/v1/messages.ts";
import { type Digests, StreamDigests } from "../../digests.ts";
import { ClientError } from "../../errors.ts";
import { followResumeTimeoutMs } from "../../limits.ts";
import type { DigestName } from "../../transport/platform.ts";
import { abortable } from "../link/abortable.ts";
import { ReceiveQueue } from "./receive-queue.ts";
import type { Link } from "../link/link.ts";
import { query } from "../link/queries.ts";
import type { Reconnector } from "../link/reconnector.ts";
import { type ReceiveBudget, ReadCall } from "./read-call.ts";
import { isRefusal } from "../refusals.ts";

/** What to read: a range of a stream, or a stream or recording as it grows. An undefined offset follows from now on. */
export type ReadTarget =
  | { kind: "range"; streamId: string; offset: number; length: number | undefined }
  | { kind: "follow"; source: FollowSource; name: string; offset: number | undefined };

export interface ReadOptions {
  /** Digests to compute; SHA-256 by default. Platforms without digests compute none. */
  digests?: readonly DigestName[] | undefined;
  /** Aborts the read; the reader then throws the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called with the bytes received so far. */
  onProgress?: ((bytes: number) => void) | undefined;
}

export interface ReadResult {
  id: string;
  /** How the audio ended. `cancelled` means that the reader stopped. */
  outcome: Outcome;
  /** Bytes received. */
  received: number;
  /**
   * Bytes of a recording that the server skipped because the reader was too slow. It does not count what was recorded
   * while there was no connection.
   */
  skipped: number;
  /** The size of the whole stream in bytes. */
  size: number;
  /** The server's digest of the whole stream, in lower-case hex; undefined unless it is finished. */
  sha256: string | undefined;
  /** The client's digests of the bytes received; empty unless the read began at offset 0. */
  digests: Digests;
  /** Whether the whole stream was received and its SHA-256 is the server's. */
  verified: boolean;
}

/** A stream as the server describes it when it opens it. `size` is undefined while the stream is unfinished. */
export type OpenedStream = Pick<Opened, "streamId" | "offset" | "size" | "metadata">;

export class ReadTask {
  readonly receiveQueue = new ReceiveQueue();
  readonly opened: Promise<OpenedStream>;
  readonly #reconnector: Reconnector;
  readonly #budget: ReceiveBudget;
  readonly #target: ReadTarget;
  readonly #options: ReadOptions;
  readonly #signal: AbortSignal;
  readonly #digests: StreamDigests;
  readonly #hashes: boolean;
  #resolveOpened: (opened: OpenedStream) => void = () => {};
  #rejectOpened: (error: unknown) => void = () => {};
  /** The first OPENED. */
  #openedStream: OpenedStream | undefined;
  /** The offset of the next byte needed; undefined until OPENED tells where the audio begins. */
  #nextOffset: number | undefined;
  #receivedBytes = 0;
  #skippedBytes = 0;
  /** Set once the connection was lost. The time starts when the server first reports that the sender is away. */
  #interruption: { sinceMs: number | undefined } | undefined;
  #isCancelled = false;

  constructor(
    reconnector: Reconnector,
    budget: ReceiveBudget,
    target: ReadTarget,
    options: ReadOptions,
    signal: AbortSignal,
  ) {
    this.#reconnector = reconnector;
    this.#budget = budget;
    this.#target = target;
    this.#options = options;
    this.#signal = signal;
    this.#nextOffset = target.offset;
    const { platform } = reconnector;
    this.#hashes = platform.newDigest !== undefined && target.offset === 0;
    this.#digests = new StreamDigests(platform, this.#hashes ? (options.digests ?? ["sha256"]) : []);
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve;
      this.#rejectOpened = reject;
    });
    // Reading throws the same error, so a program need not look at `opened`.
    this.opened.catch(() => undefined);
  }

  /** Throws ClientError, or the reason of the signal; the receive queue then fails with the same error. */
  async run(): Promise<ReadResult> {
    this.#budget.readers += 1;
    try {
      const end = await this.#reconnector.withRetries(
        () => this.#receivedBytes,
        this.#signal,
        (link) => this.#attempt(link),
      );
      const result = this.#result(end);
      this.receiveQueue.end();
      return result;
    } catch (error) {
      this.#rejectOpened(error);
      if (this.#isCancelled) return this.#cancelledResult();
      if (this.#signal.aborted) this.receiveQueue.clear(error);
      else this.receiveQueue.fail(error);
      throw error;
    } finally {
      this.#budget.readers -= 1;
    }
  }

  /** Ends the read without an error. To be called before the signal aborts. */
  cancel(): void {
    this.#isCancelled = true;
    this.receiveQueue.clear();
  }

  async #attempt(link: Link): Promise<End> {
    // Each connection grants a new window. Without this wait, a reader that never reads would queue one window per
    // reconnection.
    await abortable(this.receiveQueue.drained(), this.#signal);
    if (this.#isComplete()) return await this.#queryEnd(link);
    try {
      const end = await this.#read(link);
      if (end.outcome === "unfinished" && this.#awaitsSender()) {
        throw new ClientError("BUSY", "the upload has not resumed yet");
      }
      return end;
    } catch (error) {
      if (this.#receivedBytes > 0 && isRefusal(error, "NO_DATA")) return await this.#queryEnd(link);
      const isAway = isRefusal(error, "RECORDING_UNKNOWN") && this.#awaitsSender();
      if (!(error instanceof ClientError)) throw error;
      if (error.again) this.#interruption ??= { sinceMs: undefined };
      throw isAway ? new ClientError("BUSY", "the recording has not resumed yet") : error;
    }
  }

  #read(link: Link): Promise<End> {
    const state = {
      receiveQueue: this.receiveQueue,
      budget: this.#budget,
      onOpened: (message: Opened) => this.#onOpened(message),
      onData: (message: Data) => this.#onData(message),
    };
    return new ReadCall(link, state).run((channel) => this.#openingMessage(channel), this.#signal);
  }

  #openingMessage(channel: number): ClientMessage {
    const target = this.#target;
    if (target.kind === "range") {
      const { streamId, length } = target;
      const remaining = length === undefined ? undefined : length - this.#receivedBytes;
      return { type: "READ", channel, streamId, offset: this.#nextOffset ?? 0, length: remaining };
    }
    const { source, name } = target;
    const offset = source === "recording" ? undefined : this.#nextOffset;
    return { type: "FOLLOW", channel, source, name, offset };
  }

  #onOpened(message: Opened): void {
    const { streamId, offset, size, metadata } = message;
    const first = this.#openedStream;
    if (first === undefined) {
      this.#openedStream = { streamId, offset, size, metadata };
      this.#resolveOpened(this.#openedStream);
    } else if (first.size !== undefined && first.size !== size) {
      throw new ClientError("MISMATCH", `${streamId} was replaced by another stream`);
    }
    if (this.#isRecording()) this.#nextOffset = undefined;
    else if (this.#nextOffset !== undefined && offset !== this.#nextOffset) {
      throw new ClientError("UNEXPECTED", `audio from ${offset} instead of ${this.#nextOffset}`);
    }
    this.#nextOffset ??= offset;
  }

  #onData({ offset, payload }: Data): void {
    const gapBytes = offset - (this.#nextOffset ?? 0);
    if (gapBytes < 0 || (gapBytes > 0 && !this.#isRecording())) {
      throw new ClientError("UNEXPECTED", `audio at ${offset} instead of ${this.#nextOffset}`);
    }
    this.#skippedBytes += gapBytes;
    if (this.#hashes) this.#digests.update(offset, payload);
    this.#nextOffset = offset + payload.length;
    this.#receivedBytes += payload.length;
    // This may be audio from before the loss, which does not show that the sender is back: restart the timeout.
    if (this.#interruption !== undefined) this.#interruption.sinceMs = undefined;
    this.#options.onProgress?.(this.#receivedBytes);
  }

  /** Whether all audio was received, and only the END was lost. */
  #isComplete(): boolean {
    const target = this.#target;
    if (target.kind === "follow" || this.#receivedBytes === 0) return false;
    return this.#receivedBytes === target.length || this.#nextOffset === this.#openedStream?.size;
  }

  /** Asks for what the lost END would have told. */
  async #queryEnd(link: Link): Promise<End> {
    const streamId = this.#openedStream?.streamId ?? "";
    const answer = await query(link, (channel) => ({ type: "INFO", channel, streamId }), this.#signal);
    const info = answer.type === "STREAMS" ? answer.streams[0] : undefined;
    if (info === undefined) throw new ClientError("UNEXPECTED", "no answer to INFO");
    return {
      type: "END",
      channel: answer.channel,
      outcome: info.state,
      size: info.size,
      sha256: info.sha256,
    };
  }

  #isRecording(): boolean {
    return this.#target.kind === "follow" && this.#target.source === "recording";
  }

  /** A lost server interrupts the sender too. Whether to wait longer for the sender to reconnect. */
  #awaitsSender(): boolean {
    if (this.#target.kind !== "follow" || this.#interruption === undefined) return false;
    this.#interruption.sinceMs ??= performance.now();
    return performance.now() < this.#interruption.sinceMs + followResumeTimeoutMs;
  }

  #result({ outcome, size, sha256 }: End): ReadResult {
    this.#checkLength(outcome, size);
    const isWhole = this.#hashes && sha256 !== undefined && this.#digests.positionBytes === size;
    const digests = this.#hashes ? this.#digests.values() : {};
    const own = digests.sha256;
    const verified = isWhole && own !== undefined;
    if (verified && own !== sha256) {
      throw new ClientError("MISMATCH", `SHA-256 is ${own} instead of ${sha256}`);
    }
    return { ...this.#counts(), outcome, size, sha256, digests, verified };
  }

  #cancelledResult(): ReadResult {
    const size = this.#openedStream?.size ?? 0;
    return {
      ...this.#counts(),
      outcome: "cancelled",
      size,
      sha256: undefined,
      digests: {},
      verified: false,
    };
  }

  #counts(): Pick<ReadResult, "id" | "received" | "skipped"> {
    const id = this.#openedStream?.streamId ?? "";
    return { id, received: this.#receivedBytes, skipped: this.#skippedBytes };
  }

  #checkLength(outcome: Outcome, size: number): void {
    if (outcome !== "finished") return;
    const length = this.#target.kind === "range" ? this.#target.length : undefined;
    const begin = (this.#nextOffset ?? 0) - this.#receivedBytes;
    const end = Math.min(size, begin + (length ?? Infinity));
    if (begin + this.#receivedBytes === end) return;
    throw new ClientError("INCOMPLETE", `${this.#receivedBytes} of ${end - begin} bytes`);
  }
}
