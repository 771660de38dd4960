/**
 * StreamReader and following: READ or FOLLOW, audio within credit, END, over as many connections as it takes. After a loss
 * it goes on at the byte that it needs next.
 */
import type { ClientMessage, Data, End, FollowSource, Opened, Outcome } from "../../../wire/v1/messages.ts";
import { type Digests, StreamDigests } from "../../digests.ts";
import { ClientError } from "../../errors.ts";
import { followResumeTimeoutMs } from "../../limits.ts";
import type { DigestName } from "../../transport/platform.ts";
import { abortable } from "../link/abortable.ts";
import { ReceiveQueue } from "./receive-queue.ts";
import type { Link } from "../link/link.ts";
import { enduring, type Reconnector } from "../link/reconnector.ts";
import { ask } from "../link/queries.ts";
import { type ReceiveBudget, ReadCall } from "./read-call.ts";
import { isRefusal } from "../refusals.ts";
import { refuseDigest } from "../write/write-task.ts";

/** What is read: a range that is there, or what comes. */
export type ReadTarget =
  | { kind: "range"; streamId: string; offset: number; length: number | undefined }
  | { kind: "follow"; source: FollowSource; name: string; offset: number | undefined };

export interface ReadOptions {
  /** SHA-256 alone by default, as far as the platform has digests. */
  digests?: readonly DigestName[] | undefined;
  /** Ends it: whoever reads gets the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Bytes received so far. */
  onProgress?: ((bytes: number) => void) | undefined;
}

export interface ReadResult {
  id: string;
  /** How it ended; what `cancelled` means here is that the reader wanted no more. */
  outcome: Outcome;
  /** Bytes that the reader got. */
  received: number;
  /** Of a recording: bytes that were left out because the reader did not keep up; not what passed without a connection. */
  skipped: number;
  /** Of the whole stream, as the server says. */
  size: number;
  sha256: string | undefined;
  /** Of what came, where that is the whole stream. */
  digests: Digests;
  /** Whether the whole stream came and has the server's SHA-256. */
  verified: boolean;
}

/** What a server says of a stream as it opens it. */
export type OpenedStream = Pick<Opened, "streamId" | "offset" | "size" | "metadata">;

export class ReadTask {
  readonly receiveQueue = new ReceiveQueue();
  readonly opened: Promise<OpenedStream>;
  readonly #reconnector: Reconnector;
  readonly #budget: ReceiveBudget;
  readonly #wanted: ReadTarget;
  readonly #options: ReadOptions;
  readonly #signal: AbortSignal;
  readonly #digests: StreamDigests;
  readonly #hashes: boolean;
  #resolveOpened: (opening: OpenedStream) => void = () => {};
  #rejectOpened: (error: unknown) => void = () => {};
  #opening: OpenedStream | undefined;
  /** Of the byte that is needed next; undefined until the first OPENED if that says where it begins. */
  #next: number | undefined;
  #received = 0;
  #skipped = 0;
  /** The connection was lost once; the clock runs from the first answer after the last audio. */
  #interruption: { sinceMs: number | undefined } | undefined;
  #isCancelled = false;

  constructor(
    reconnector: Reconnector,
    budget: ReceiveBudget,
    wanted: ReadTarget,
    options: ReadOptions,
    signal: AbortSignal,
  ) {
    this.#reconnector = reconnector;
    this.#budget = budget;
    this.#wanted = wanted;
    this.#options = options;
    this.#signal = signal;
    this.#next = wanted.offset;
    const { newDigest } = reconnector.platform;
    this.#hashes = newDigest !== undefined && wanted.offset === 0;
    const names = this.#hashes ? (options.digests ?? ["sha256"]) : [];
    this.#digests = new StreamDigests({ newDigest: newDigest ?? refuseDigest }, names);
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve;
      this.#rejectOpened = reject;
    });
    // Whoever does not ask for it learns of a failure by reading.
    this.opened.catch(() => undefined);
  }

  /** Throws ClientError, or the reason of the signal; so does the receiveQueue then. */
  async run(): Promise<ReadResult> {
    this.#budget.readers += 1;
    try {
      const end = await enduring(
        this.#reconnector,
        () => this.#received,
        this.#signal,
        (link) => this.#attempt(link),
      );
      const result = this.#result(end);
      this.receiveQueue.end();
      return result;
    } catch (error) {
      this.#rejectOpened(error);
      if (this.#isCancelled) return this.#cancelled();
      if (this.#signal.aborted) this.receiveQueue.drop(error);
      else this.receiveQueue.fail(error);
      throw error;
    } finally {
      this.#budget.readers -= 1;
    }
  }

  /** The reader wants no more: to be called before the signal aborts, so that this is no failure. */
  cancel(): void {
    this.#isCancelled = true;
    this.receiveQueue.drop();
  }

  async #attempt(link: Link): Promise<End> {
    // What an earlier connection brought is still held: a reader that takes nothing must not get more each time.
    await abortable(this.receiveQueue.drained(), this.#signal);
    if (this.#isComplete()) return await this.#askEnd(link);
    try {
      const end = await this.#read(link);
      if (end.outcome === "unfinished" && this.#isInterrupted())
        throw new ClientError("BUSY", "not resumed yet");
      return end;
    } catch (error) {
      if (this.#received > 0 && isRefusal(error, "NO_DATA")) return await this.#askEnd(link);
      const isAway = isRefusal(error, "RECORDING_UNKNOWN") && this.#isInterrupted();
      if (!(error instanceof ClientError)) throw error;
      if (error.again) this.#interruption ??= { sinceMs: undefined };
      throw isAway ? new ClientError("BUSY", "not recorded at the moment") : error;
    }
  }

  #read(link: Link): Promise<End> {
    const state = {
      receiveQueue: this.receiveQueue,
      budget: this.#budget,
      opened: (message: Opened) => this.#checkOpened(message),
      came: (message: Data) => this.#came(message),
    };
    return new ReadCall(link, state).run((channel) => this.#request(channel), this.#signal);
  }

  #request(channel: number): ClientMessage {
    const wanted = this.#wanted;
    if (wanted.kind === "range") {
      const { streamId, length } = wanted;
      const rest = length === undefined ? undefined : length - this.#received;
      return { type: "READ", channel, streamId, offset: this.#next ?? 0, length: rest };
    }
    const { source, name } = wanted;
    const offset = source === "recording" ? undefined : this.#next;
    return { type: "FOLLOW", channel, source, name, offset };
  }

  #checkOpened(message: Opened): void {
    const { streamId, offset, size, metadata } = message;
    const first = this.#opening;
    if (first === undefined) {
      this.#opening = { streamId, offset, size, metadata };
      this.#resolveOpened(this.#opening);
    } else if (first.size !== undefined && first.size !== size) {
      throw new ClientError("MISMATCH", `${streamId} is another stream than before`);
    }
    if (this.#isRecording()) this.#next = undefined;
    else if (this.#next !== undefined && offset !== this.#next) {
      throw new ClientError("UNEXPECTED", `audio from ${offset} instead of ${this.#next}`);
    }
    this.#next ??= offset;
  }

  #came({ offset, payload }: Data): void {
    const gap = offset - (this.#next ?? 0);
    if (gap < 0 || (gap > 0 && !this.#isRecording())) {
      throw new ClientError("UNEXPECTED", `audio at ${offset} instead of ${this.#next}`);
    }
    this.#skipped += gap;
    if (this.#hashes) this.#digests.take(offset, payload);
    this.#next = offset + payload.length;
    this.#received += payload.length;
    // What was there before the loss may come first: the clock begins anew, since whoever sends is not back with that.
    if (this.#interruption !== undefined) this.#interruption.sinceMs = undefined;
    this.#options.onProgress?.(this.#received);
  }

  /** Whether all is here, and only the last word was lost. */
  #isComplete(): boolean {
    const wanted = this.#wanted;
    if (wanted.kind === "follow" || this.#received === 0) return false;
    return this.#received === wanted.length || this.#next === this.#opening?.size;
  }

  async #askEnd(link: Link): Promise<End> {
    const streamId = this.#opening?.streamId ?? "";
    const answer = await ask(link, (channel) => ({ type: "INFO", channel, streamId }), this.#signal);
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
    return this.#wanted.kind === "follow" && this.#wanted.source === "recording";
  }

  /** The loss of a server interrupts who sends to it as well, who needs a moment to come back. */
  #isInterrupted(): boolean {
    if (this.#wanted.kind !== "follow" || this.#interruption === undefined) return false;
    this.#interruption.sinceMs ??= performance.now();
    return performance.now() < this.#interruption.sinceMs + followResumeTimeoutMs;
  }

  #result({ outcome, size, sha256 }: End): ReadResult {
    this.#checkLength(outcome, size);
    const isWhole = this.#hashes && sha256 !== undefined && this.#digests.positionBytes === size;
    const digests = this.#hashes ? this.#digests.finish() : {};
    const own = digests.sha256;
    const verified = isWhole && own !== undefined;
    if (verified && own !== sha256)
      throw new ClientError("MISMATCH", `SHA-256 is ${own} instead of ${sha256}`);
    const id = this.#opening?.streamId ?? "";
    return { id, outcome, received: this.#received, skipped: this.#skipped, size, sha256, digests, verified };
  }

  #cancelled(): ReadResult {
    const id = this.#opening?.streamId ?? "";
    const size = this.#opening?.size ?? 0;
    const nothing = { sha256: undefined, digests: {}, verified: false };
    return { id, outcome: "cancelled", received: this.#received, skipped: this.#skipped, size, ...nothing };
  }

  #checkLength(outcome: Outcome, size: number): void {
    if (outcome !== "finished") return;
    const length = this.#wanted.kind === "range" ? this.#wanted.length : undefined;
    const begin = (this.#next ?? 0) - this.#received;
    const end = Math.min(size, begin + (length ?? Infinity));
    if (begin + this.#received === end) return;
    throw new ClientError("INCOMPLETE", `${this.#received} of ${end - begin} bytes`);
  }
}
