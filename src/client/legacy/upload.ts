/**
 * Uploads over the older protocol: START, audio, STOP. After a lost connection the upload resumes at the server's
 * offset. If the server has other bytes than the source, the upload replaces them. If the server cannot resume, the
 * upload restarts under a new id, because some servers would append to the bytes of the old one.
 */
import { decodeReply, encodeStart, encodeStop, type Reply, type StartMode } from "../../wire/audio-cache.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { Connection } from "../transport/connection.ts";
import { type Digests, StreamDigests } from "../digests.ts";
import { ClientError } from "../errors.ts";
import { refuseChangedSource } from "../source-check.ts";
import { checkedStreamId, newStreamId, streamExists } from "../stream-id.ts";
import { blockBytes, defaultChunkBytes, maxChunkBytes, sendSliceMs } from "../limits.ts";
import {
  connectionFor,
  retryPolicy,
  type TransferLimits,
  type TransferOptions,
  transferLimits,
} from "./options.ts";
import { refusalAmong, refusalOf } from "./refusals.ts";
import { pause, withRetries, type RetryNotice } from "../transport/retry.ts";
import type { AudioSource } from "../audio-source.ts";

export interface UploadOptions extends TransferOptions {
  source: AudioSource;
  /** Bytes of an upload frame, 1 to 16 MiB; 8 KiB by default. */
  chunkBytes?: number;
  /** The stream's id; a new unique one by default. With an id given, the upload never restarts under another one. */
  streamId?: string;
  /**
   * Resumes the unfinished stream `streamId` of an earlier upload. `if-used` starts it, and resumes it only if the server
   * refuses because the id is in use: for servers that may not know `resume`.
   */
  resume?: boolean | "if-used";
}

/** How the server acknowledged the end of an upload. */
export type Acknowledgement =
  /** With STOPPED, and the size and SHA-256 of what was sent. */
  | "verified"
  /** With STOPPED, without a digest to compare. */
  | "stopped"
  /** Not at all, or with ERROR for an empty stream. Only a download shows what the server has. */
  | "none";

export interface UploadResult {
  streamId: string;
  sizeBytes: number;
  digests: Digests;
  acknowledgement: Acknowledgement;
  /** Bytes that the server had before this upload, and kept. */
  keptBytes: number;
  /** Connections lost during the upload. */
  reconnects: number;
}

/** Attempts to replace other bytes at the server; the next difference is an error. */
const maxRestarts = 3;

/**
 * Uploads a source. Throws BAD_ARGUMENT, REFUSED, NOT_RESUMABLE (the given id cannot be resumed), PREFIX_UNKNOWN,
 * OTHER_AUDIO or MISMATCH (the server has other bytes), SOURCE_CHANGED, errors of the connection after the policy's retries, or the reason of the signal.
 */
export function upload(options: UploadOptions): Promise<UploadResult> {
  return new LegacyUpload(options).run();
}

class LegacyUpload {
  readonly #options: UploadOptions;
  readonly #limits: TransferLimits;
  readonly #source: AudioSource;
  readonly #chunkBytes: number;
  readonly #blockBytes: number;
  readonly #digests: StreamDigests;
  #streamId: string;
  /** Whether the server may hold bytes under this id. */
  #used: boolean;
  #resumable: boolean;
  #keptBytes: number | undefined;
  #restarts = 0;
  /** The furthest offset at which an attempt has resumed. */
  #resumedBytes = 0;
  #reconnects = 0;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.#limits = transferLimits(options);
    this.#source = options.source;
    this.#chunkBytes = checkedChunkBytes(options.chunkBytes ?? defaultChunkBytes);
    this.#blockBytes = Math.max(1, Math.floor(blockBytes / this.#chunkBytes)) * this.#chunkBytes;
    const { digests = ["sha256"] } = options;
    // A resumed upload needs SHA-256, to compare what the server has.
    const names = (options.resume ?? false) === false ? digests : (["sha256", ...digests] as const);
    this.#digests = new StreamDigests(options.platform, names);
    this.#streamId = checkedStreamId(options.streamId ?? newStreamId());
    this.#used = options.resume === true;
    this.#resumable = this.#used;
  }

  async run(): Promise<UploadResult> {
    const { signal, onEvent } = this.#options;
    const onRetry = (notice: RetryNotice) => {
      this.#reconnects++;
      onEvent?.({ type: "retrying", ...notice });
    };
    const hooks = { signal, progress: () => this.#resumedBytes, onRetry };
    const acknowledgement = await withRetries(retryPolicy(this.#options), hooks, () => this.#attempt());
    return {
      streamId: this.#streamId,
      sizeBytes: this.#source.sizeBytes,
      digests: this.#digests.values(),
      acknowledgement,
      keptBytes: this.#keptBytes ?? 0,
      reconnects: this.#reconnects,
    };
  }

  async #attempt(): Promise<Acknowledgement> {
    const connection = await connectionFor(this.#options, this.#limits);
    try {
      return await this.#createOrResume(connection);
    } catch (error) {
      // A server may send ERROR and close: the ERROR says more than the close.
      throw refusalAmong(connection.drain()) ?? error;
    } finally {
      connection.close();
    }
  }

  async #createOrResume(connection: Connection): Promise<Acknowledgement> {
    if (this.#used && !this.#resumable) this.#changeId();
    const mode = this.#used ? "resume" : "create";
    this.#used = true;
    try {
      return await this.#transfer(connection, mode);
    } catch (error) {
      if (isOtherAudio(error) && this.#restarts < maxRestarts) return await this.#startOver(connection);
      const mayResume = mode === "create" && this.#options.resume === "if-used";
      if (!mayResume || !isRefusedBecause(error, "STREAM_EXISTS")) throw error;
    }
    this.#resumable = true;
    return await this.#createOrResume(connection);
  }

  async #startOver(connection: Connection): Promise<Acknowledgement> {
    this.#restarts += 1;
    this.#digests.restart();
    this.#keptBytes = 0;
    try {
      return await this.#transfer(connection, "restart");
    } catch (error) {
      throw isRefusedBecause(error, "STREAM_FINISHED") ? streamExists(this.#streamId) : error;
    }
  }

  async #transfer(connection: Connection, mode: StartMode): Promise<Acknowledgement> {
    const offset = await this.#start(connection, mode);
    await this.#send(connection, offset);
    return await this.#stop(connection);
  }

  /** Sends START and returns the offset to send from: what the server has up to there is compared. */
  async #start(connection: Connection, mode: StartMode): Promise<number> {
    const { onEvent } = this.#options;
    const streamId = this.#streamId;
    connection.send(encodeStart(streamId, mode));
    const reply = await this.#reply(connection, "STARTED");
    if (reply === undefined) throw new ClientError("ANSWER_TIMEOUT", "START");
    if (reply.type === "ERROR") throw this.#startRefused(reply.message, mode);
    if (mode === "resume") return await this.#resumed(reply);
    this.#resumable = reply.resumable;
    if (mode === "restart") onEvent?.({ type: "startedOver", streamId });
    else onEvent?.({ type: "started", streamId, resumable: reply.resumable });
    return 0;
  }

  #changeId(): void {
    if (this.#options.streamId !== undefined) throw new ClientError("NOT_RESUMABLE", this.#streamId);
    const oldStreamId = this.#streamId;
    this.#streamId = newStreamId();
    this.#used = false;
    this.#options.onEvent?.({ type: "restarted", oldStreamId, streamId: this.#streamId });
  }

  #startRefused(message: string, mode: StartMode): ClientError {
    const error = refusalOf(message);
    if (mode !== "resume" || error.again || this.#options.streamId !== undefined) return error;
    this.#resumable = false;
    return new ClientError("RESUME_REFUSED", message);
  }

  async #resumed({ offset, sha256 }: Started): Promise<number> {
    // Without an offset the server has ignored `resume`, and may append to the bytes that it has.
    if (offset === undefined) {
      this.#resumable = false;
      throw new ClientError("RESUME_REFUSED", "it sends no offset to resume from");
    }
    await this.#compare(offset, sha256);
    this.#keptBytes ??= offset;
    this.#resumedBytes = Math.max(this.#resumedBytes, offset);
    this.#options.onEvent?.({ type: "resumed", streamId: this.#streamId, offset });
    return offset;
  }

  /**
   * Throws if the server's bytes are not those of the source. Bytes that this upload has sent are compared at STOP only:
   * their digest goes on past the server's offset.
   */
  async #compare(offset: number, sha256: string | undefined): Promise<void> {
    if (sha256 !== undefined && offset > this.#source.sizeBytes)
      throw new ClientError("OTHER_AUDIO", this.#streamId);
    if (offset > this.#source.sizeBytes) throw new ClientError("PREFIX_UNKNOWN", this.#streamId);
    const isOwn = this.#digests.positionBytes >= offset;
    await this.#catchUp(offset);
    if (sha256 === undefined && !isOwn) throw new ClientError("PREFIX_UNKNOWN", this.#streamId);
    const isComparable = sha256 !== undefined && this.#digests.positionBytes === offset;
    if (isComparable && this.#digests.values().sha256 !== sha256) {
      throw new ClientError("OTHER_AUDIO", this.#streamId);
    }
  }

  /** Hashes the bytes that the server has from an earlier upload, which this one has not read yet. */
  async #catchUp(offset: number): Promise<void> {
    while (this.#digests.positionBytes < offset) {
      this.#options.signal?.throwIfAborted();
      const at = this.#digests.positionBytes;
      this.#digests.update(at, await this.#read(at, Math.min(this.#blockBytes, offset - at)));
    }
  }

  async #send(connection: Connection, from: number): Promise<void> {
    const { sizeBytes } = this.#source;
    const { highWaterBytes, lowWaterBytes } = this.#limits;
    let sliceEnd = performance.now() + sendSliceMs;
    for (let offset = from; offset < sizeBytes;) {
      const block = await this.#read(offset, Math.min(this.#blockBytes, sizeBytes - offset));
      sendFrames(connection, block, this.#chunkBytes);
      this.#digests.update(offset, block);
      offset += block.length;
      if (connection.bufferedBytes > highWaterBytes) await connection.drained(lowWaterBytes);
      else if (performance.now() > sliceEnd) await pause(0, this.#options.signal);
      else continue;
      this.#options.onProgress?.(offset - connection.bufferedBytes);
      const refused = refusalAmong(connection.drain());
      if (refused !== undefined) throw refused;
      sliceEnd = performance.now() + sendSliceMs;
    }
    // On a slow network this takes long; STOP would then seem to be answered late.
    await connection.drained(0);
    this.#options.onProgress?.(sizeBytes);
  }

  async #read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const block = await this.#source.read(offset, length);
    if (block.length === length) return block;
    throw new ClientError("SOURCE_CHANGED", `${block.length} bytes at ${offset} instead of ${length}`);
  }

  async #stop(connection: Connection): Promise<Acknowledgement> {
    await refuseChangedSource(this.#source, this.#digests, this.#options.signal);
    this.#options.onEvent?.({ type: "stopping", streamId: this.#streamId });
    connection.send(encodeStop(this.#streamId, this.#resumable ? this.#digests.values().sha256 : undefined));
    const reply = await this.#reply(connection, "STOPPED");
    if (reply === undefined) {
      if (this.#resumable) throw new ClientError("ANSWER_TIMEOUT", "STOP");
      return "none";
    }
    if (reply.type === "STOPPED") return this.#verify(reply.size, reply.sha256);
    // Some servers have no empty streams.
    if (this.#source.sizeBytes === 0) return "none";
    throw refusalOf(reply.message);
  }

  #verify(size: number | undefined, sha256: string | undefined): Acknowledgement {
    const { sizeBytes } = this.#source;
    if (size !== undefined && size !== sizeBytes) {
      throw new ClientError("MISMATCH", `the server got ${size} of ${sizeBytes} bytes`);
    }
    const own = this.#digests.values().sha256;
    if (sha256 === undefined || own === undefined) return "stopped";
    if (sha256 !== own) throw new ClientError("MISMATCH", `SHA-256 is ${own} here, ${sha256} at the server`);
    return "verified";
  }

  /** Waits for a reply of this type, or ERROR, and skips others; undefined after the answer timeout. */
  async #reply<T extends "STARTED" | "STOPPED">(
    connection: Connection,
    type: T,
  ): Promise<Extract<Reply, { type: T | "ERROR" }> | undefined> {
    const deadline = performance.now() + this.#limits.answerTimeoutMs;
    for (;;) {
      const frame = await connection.receive(deadline);
      if (frame === undefined) return undefined;
      const reply = typeof frame === "string" ? decodeReply(frame) : undefined;
      if (isReply(reply, type)) return reply;
      if (performance.now() > deadline) return undefined;
    }
  }
}

type Started = Extract<Reply, { type: "STARTED" }>;

/** The server has other bytes than the source, as a comparison or the server has found. */
function isOtherAudio(error: unknown): boolean {
  return (
    (error instanceof ClientError && error.code === "OTHER_AUDIO") || isRefusedBecause(error, "DIGEST_WRONG")
  );
}

function isRefusedBecause(error: unknown, serverCode: ErrorCode): boolean {
  return error instanceof ClientError && error.serverCode === serverCode;
}

function isReply<T extends Reply["type"]>(
  reply: Reply | undefined,
  type: T,
): reply is Extract<Reply, { type: T | "ERROR" }> {
  return reply !== undefined && (reply.type === type || reply.type === "ERROR");
}

/** Sends a block as frames of `chunkBytes`, the last one shorter. */
function sendFrames(connection: Connection, block: Uint8Array<ArrayBuffer>, chunkBytes: number): void {
  if (block.length <= chunkBytes) {
    connection.send(block);
    return;
  }
  for (let at = 0; at < block.length; at += chunkBytes) {
    connection.send(block.subarray(at, at + chunkBytes));
  }
}

function checkedChunkBytes(bytes: number): number {
  if (Number.isInteger(bytes) && bytes >= 1 && bytes <= maxChunkBytes) return bytes;
  throw new ClientError("BAD_ARGUMENT", `a chunk of ${bytes} bytes`, `use 1 to ${maxChunkBytes}`);
}
