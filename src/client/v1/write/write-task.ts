/**
 * An upload over as many connections as it takes: WRITE, audio, FINISH. After a lost connection it resumes at the
 * server's offset, which is never before the last durable byte.
 */
import type { Ack, End, Metadata, Opened, WriteMode } from "../../../wire/v1/messages.ts";
import { type Digests, StreamDigests } from "../../digests.ts";
import { ClientError } from "../../errors.ts";
import { checkedStreamId, newStreamId, streamExists } from "../../stream-id.ts";
import type { DigestName } from "../../transport/platform.ts";
import type { Link } from "../link/link.ts";
import type { Reconnector } from "../link/reconnector.ts";
import { isRefusal } from "../refusals.ts";
import type { ReplayBuffer } from "./replay-buffer.ts";
import { WriteCall } from "./write-call.ts";

/** The metadata of a new stream; every part is optional. */
export interface MetadataInput {
  /** MIME type. */
  contentType?: string | undefined;
  format?: Metadata["format"];
  tags?: Readonly<Record<string, string>> | undefined;
}

export interface WriteOptions {
  /** The stream's id, 1 to 128 letters, digits, `-`, `_` or `.`; a new unique one by default. */
  id?: string | undefined;
  /** Resumes the unfinished stream of this id, or creates it if it does not exist. */
  resume?: boolean | undefined;
  /** Kept with a new stream; a resumed one keeps what it has. */
  metadata?: MetadataInput | undefined;
  /** Digests to compute; SHA-256 by default. Platforms without digests compute none. */
  digests?: readonly DigestName[] | undefined;
  /** Aborts the upload; the server keeps the unfinished stream, to be resumed. */
  signal?: AbortSignal | undefined;
  /** Called when the server has written more, or more is durable. */
  onProgress?: ((progress: WriteProgress) => void) | undefined;
  /** Called when the server opens the stream, first and after each reconnection, with the offset that it needs next. */
  onOpen?: ((offset: number) => void) | undefined;
  /** Called when the server has other bytes of the stream than this upload, which begins again at byte 0. */
  onRestart?: (() => void) | undefined;
}

/** Attempts to replace other bytes at the server; the next difference is an error. */
const maxRestarts = 3;

/** Bytes from the beginning of the stream. */
export interface WriteProgress {
  /** Written to the server's file: survives a crash of its process. */
  written: number;
  /** Synced to its disk: survives a power cut. */
  durable: number;
}

/** Confirms that a finished stream is durable at the server. */
export interface Receipt {
  id: string;
  /** Bytes. */
  size: number;
  /** The server's digest of the whole stream, in lower-case hex. */
  sha256: string;
  /** The client's digests; empty without digests on this platform, or if the beginning was not sent from here. */
  digests: Digests;
  /** Whether the client has computed SHA-256 too, and both are the same. */
  verified: boolean;
}

export class WriteTask {
  readonly id: string;
  readonly #reconnector: Reconnector;
  readonly #replay: ReplayBuffer;
  readonly #options: WriteOptions;
  readonly #signal: AbortSignal;
  readonly #digests: StreamDigests;
  #progress: WriteProgress = { written: 0, durable: 0 };
  /** Whether the server has opened the stream for this task. From then on only `resume` can continue it. */
  #isOpened = false;
  #attempts = 0;
  #discards = false;
  #restarts = 0;

  constructor(reconnector: Reconnector, replay: ReplayBuffer, options: WriteOptions, signal: AbortSignal) {
    this.#reconnector = reconnector;
    this.#replay = replay;
    this.#options = options;
    this.#signal = signal;
    this.id = checkedStreamId(options.id ?? newStreamId());
    this.#digests = new StreamDigests(reconnector.platform, digestNames(replay, options));
  }

  get progress(): WriteProgress {
    return this.#progress;
  }

  /** Throws ClientError, or the reason of the signal. To be called once. */
  async run(): Promise<Receipt> {
    try {
      const end = await this.#reconnector.withRetries(
        () => this.#progress.written,
        this.#signal,
        (link) => this.#attempt(link),
      );
      const receipt = this.#receipt(end);
      this.#replay.close(new ClientError("CLOSED"));
      return receipt;
    } catch (error) {
      this.#replay.close(error);
      throw error;
    }
  }

  /** Makes an abort remove the stream at the server. To be called before the signal aborts. */
  discard(): void {
    this.#discards = true;
  }

  async #attempt(link: Link): Promise<End> {
    try {
      return await this.#createOrResume(link);
    } catch (error) {
      if (!this.#mayRestart(error, link)) throw error;
      this.#restarts += 1;
      this.#digests.restart();
      this.#progress = { written: 0, durable: 0 };
      this.#options.onRestart?.();
      return await this.#write(link, "restart");
    }
  }

  /** Whether the server has other bytes, and this upload still has all of its own. */
  #mayRestart(error: unknown, link: Link): boolean {
    const isOther =
      isRefusal(error, "DIGEST_WRONG") || (error instanceof ClientError && error.code === "OTHER_AUDIO");
    const canRestart = link.server.revision >= 2 && this.#replay.firstOffset === 0;
    return isOther && canRestart && this.#restarts < maxRestarts;
  }

  async #createOrResume(link: Link): Promise<End> {
    this.#attempts += 1;
    const resumes = this.#isOpened || this.#options.resume === true;
    try {
      return await this.#write(link, resumes ? "resume" : "create");
    } catch (error) {
      // An earlier attempt may have created the stream and lost the answer. It is ours only if it is still empty.
      const mayBeOwn = !resumes && this.#attempts > 1 && isRefusal(error, "STREAM_EXISTS");
      if (!mayBeOwn) throw error;
      return await this.#write(link, "resume", 0);
    }
  }

  #write(link: Link, mode: WriteMode, requiredOffset?: number): Promise<End> {
    const state = {
      replay: this.#replay,
      digests: this.#digests,
      discardsUpload: () => this.#discards,
      onOpened: (message: Opened) => this.#onOpened(message, requiredOffset),
      onCaughtUp: (message: Opened) => this.#onCaughtUp(message),
      onHashed: () => this.#discardDurable(),
      refuseChanged: () => this.#replay.refuseChanged(this.#digests, this.#signal),
      onAck: (ack: Ack) => this.#onAck(ack),
    };
    const { contentType, format, tags = {} } = this.#options.metadata ?? {};
    const size = link.server.revision < 2 ? undefined : this.#replay.sizeBytes;
    const write = { streamId: this.id, mode, metadata: { contentType, format, tags }, size };
    return new WriteCall(link, state).run((channel) => ({ type: "WRITE", channel, ...write }), this.#signal);
  }

  #onOpened({ offset, size }: Opened, requiredOffset: number | undefined): void {
    const { sizeBytes, firstOffset } = this.#replay;
    const isForeign =
      (requiredOffset !== undefined && offset !== requiredOffset) ||
      (size !== undefined && size !== sizeBytes);
    if (isForeign) throw streamExists(this.id);
    if (sizeBytes !== undefined && offset > sizeBytes) throw new ClientError("OTHER_AUDIO", this.id);
    if (offset < firstOffset) {
      throw new ClientError("INCOMPLETE", `it has ${offset} bytes, ${firstOffset} are needed to continue`);
    }
    this.#progress = { ...this.#progress, written: Math.max(offset, this.#progress.written) };
    this.#options.onOpen?.(offset);
  }

  /** Bytes that this task has sent are compared at FINISH only: their digest goes on past the server's offset. */
  #onCaughtUp({ offset, size, sha256 }: Opened): void {
    const isFirst = !this.#isOpened;
    this.#isOpened = true;
    const own = this.#digests.positionBytes === offset ? this.#digests.values().sha256 : undefined;
    if (own === undefined || own === sha256) return;
    if (sha256 !== undefined)
      throw size === undefined ? new ClientError("OTHER_AUDIO", this.id) : streamExists(this.id);
    if (isFirst && offset > 0) throw new ClientError("PREFIX_UNKNOWN", this.id);
  }

  /** Bytes that are not hashed yet stay, unless the beginning of the stream was never here. */
  #discardDurable(): void {
    const { positionBytes } = this.#digests;
    const isHashing = this.#replay.firstOffset <= positionBytes;
    const { durable } = this.#progress;
    this.#replay.discardBefore(isHashing ? Math.min(durable, positionBytes) : durable);
  }

  #onAck({ written, durable }: Ack): void {
    this.#progress = {
      written: Math.max(written, this.#progress.written),
      durable: Math.max(durable, this.#progress.durable),
    };
    this.#discardDurable();
    this.#options.onProgress?.(this.#progress);
  }

  #receipt({ outcome, size, sha256 }: End): Receipt {
    if (outcome !== "finished" || sha256 === undefined) {
      throw new ClientError("UNEXPECTED", `the upload ended as ${outcome}`);
    }
    const isWhole = this.#digests.positionBytes === size;
    const digests = isWhole ? this.#digests.values() : {};
    if (size !== this.#replay.sizeBytes) throw new ClientError("MISMATCH", `the server has ${size} bytes`);
    if (digests.sha256 !== undefined && digests.sha256 !== sha256) {
      throw new ClientError("MISMATCH", `SHA-256 is ${digests.sha256} here, ${sha256} at the server`);
    }
    this.#options.onProgress?.({ written: size, durable: size });
    return { id: this.id, size, sha256, digests, verified: digests.sha256 !== undefined };
  }
}

/** A resumed upload needs SHA-256, to compare what the server has. */
function digestNames(
  replay: ReplayBuffer,
  { digests = ["sha256"], resume }: WriteOptions,
): readonly DigestName[] {
  if (replay.firstOffset > 0) return [];
  return resume === true ? ["sha256", ...digests] : digests;
}
