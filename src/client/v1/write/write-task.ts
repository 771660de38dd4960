/**
 * An upload: WRITE, audio, FINISH, over as many connections as it takes. After each loss it goes on where the server
 * says, which is never before what was durable.
 */
import { isStreamId } from "../../../base/stream-id.ts";
import type { Ack, End, Metadata, Opened, WriteMode } from "../../../wire/v1/messages.ts";
import { type Digests, StreamDigests } from "../../digests.ts";
import { ClientError } from "../../errors.ts";
import { newStreamId } from "../../stream-id.ts";
import type { DigestName } from "../../transport/platform.ts";
import type { Link } from "../link/link.ts";
import { enduring, type Reconnector } from "../link/reconnector.ts";
import { isRefusal } from "../refusals.ts";
import type { ReplayBuffer } from "./replay-buffer.ts";
import { WriteCall } from "./write-call.ts";

/** What is said of a stream when it is written; all of it may be left out. */
export interface MetadataInput {
  /** MIME type. */
  contentType?: string | undefined;
  format?: Metadata["format"];
  tags?: Readonly<Record<string, string>> | undefined;
}

export interface WriteOptions {
  /** The stream's id; a new one by default. */
  id?: string | undefined;
  /** Go on with an unfinished stream of this id, or begin it if there is none. */
  resume?: boolean | undefined;
  metadata?: MetadataInput | undefined;
  /** SHA-256 alone by default, as far as the platform has digests. */
  digests?: readonly DigestName[] | undefined;
  /** Ends the upload; what is there of it stays unfinished, to be resumed. */
  signal?: AbortSignal | undefined;
  /** How far the server has written the stream, and how far it is durable. */
  onProgress?: ((progress: WriteProgress) => void) | undefined;
  /** The server goes on with the stream from here, for the first time or after a loss. */
  onOpen?: ((offset: number) => void) | undefined;
}

/** Bytes from the beginning of the stream. */
export interface WriteProgress {
  written: number;
  durable: number;
}

export interface Receipt {
  id: string;
  size: number;
  /** The server's, of what is durable there. */
  sha256: string;
  /** Of what was sent; empty where the platform has no digests, or the beginning was not sent from here. */
  digests: Digests;
  /** Whether both have the same SHA-256. */
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
  /** Whether the server has opened the stream for this task: from then on only `resume` makes sense. */
  #opened = false;
  #attempts = 0;
  #discard = false;

  constructor(reconnector: Reconnector, replay: ReplayBuffer, options: WriteOptions, signal: AbortSignal) {
    this.#reconnector = reconnector;
    this.#replay = replay;
    this.#options = options;
    this.#signal = signal;
    this.id = checkedId(options.id ?? newStreamId());
    const { newDigest } = reconnector.platform;
    const names = options.digests ?? ["sha256"];
    this.#digests = new StreamDigests(
      { newDigest: newDigest ?? refuseDigest },
      newDigest === undefined || replay.firstOffset > 0 ? [] : names,
    );
  }

  get progress(): WriteProgress {
    return this.#progress;
  }

  /** Throws ClientError, or the reason of the signal. */
  async run(): Promise<Receipt> {
    try {
      const end = await enduring(
        this.#reconnector,
        () => this.#progress.written,
        this.#signal,
        (link) => this.#attempt(link),
      );
      const receipt = this.#receipt(end);
      this.#replay.release(new ClientError("CLOSED"));
      return receipt;
    } catch (error) {
      this.#replay.release(error);
      throw error;
    }
  }

  /** When the signal ends the upload: throw away what there is of it. */
  discard(): void {
    this.#discard = true;
  }

  async #attempt(link: Link): Promise<End> {
    this.#attempts += 1;
    const resumes = this.#opened || this.#options.resume === true;
    try {
      return await this.#write(link, resumes ? "resume" : "create");
    } catch (error) {
      // The answer to an earlier attempt may have been lost: a stream without a byte is that one.
      const isOwn = !resumes && this.#attempts > 1 && isRefusal(error, "STREAM_EXISTS");
      if (!isOwn) throw error;
      return await this.#write(link, "resume", 0);
    }
  }

  #write(link: Link, mode: WriteMode, mustBegin?: number): Promise<End> {
    const state = {
      replay: this.#replay,
      digests: this.#digests,
      discards: () => this.#discard,
      opened: (message: Opened) => this.#checkOpened(message, mustBegin),
      progressed: (ack: Ack) => this.#progressed(ack),
    };
    const { contentType, format, tags = {} } = this.#options.metadata ?? {};
    const write = { streamId: this.id, mode, metadata: { contentType, format, tags } };
    return new WriteCall(link, state).run((channel) => ({ type: "WRITE", channel, ...write }), this.#signal);
  }

  #checkOpened({ offset, size }: Opened, mustBegin: number | undefined): void {
    const { sizeBytes, firstOffset } = this.#replay;
    const isForeign =
      (mustBegin !== undefined && offset !== mustBegin) ||
      (size !== undefined && size !== sizeBytes) ||
      (sizeBytes !== undefined && offset > sizeBytes);
    if (isForeign) {
      const hint = "choose another id, or remove the stream";
      throw new ClientError("REFUSED", `another stream has the id ${this.id}`, hint, {
        serverCode: "STREAM_EXISTS",
      });
    }
    if (offset < firstOffset) {
      throw new ClientError("INCOMPLETE", `${offset} of ${firstOffset} bytes that it called durable`);
    }
    this.#opened = true;
    this.#progress = { ...this.#progress, written: Math.max(offset, this.#progress.written) };
    this.#options.onOpen?.(offset);
  }

  #progressed({ written, durable }: Ack): void {
    this.#progress = {
      written: Math.max(written, this.#progress.written),
      durable: Math.max(durable, this.#progress.durable),
    };
    this.#replay.forget(durable);
    this.#options.onProgress?.(this.#progress);
  }

  #receipt({ outcome, size, sha256 }: End): Receipt {
    if (outcome !== "finished" || sha256 === undefined) {
      throw new ClientError("UNEXPECTED", `the end of an upload is ${outcome}`);
    }
    const isWhole = this.#digests.positionBytes === size;
    const digests = isWhole ? this.#digests.finish() : {};
    if (size !== this.#replay.sizeBytes) throw new ClientError("MISMATCH", `the server has ${size} bytes`);
    if (digests.sha256 !== undefined && digests.sha256 !== sha256) {
      throw new ClientError("MISMATCH", `SHA-256 is ${digests.sha256} here, ${sha256} at the server`);
    }
    this.#options.onProgress?.({ written: size, durable: size });
    return { id: this.id, size, sha256, digests, verified: digests.sha256 !== undefined };
  }
}

export function refuseDigest(): never {
  throw new ClientError("BAD_ARGUMENT", "this platform has no digests");
}

function checkedId(id: string): string {
  if (isStreamId(id)) return id;
  const hint = "use 1 to 128 letters, digits, '-', '_' or '.', but not '.' or '..'";
  throw new ClientError("BAD_ARGUMENT", `stream id "${id}"`, hint);
}
