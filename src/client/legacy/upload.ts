/**
 * Uploads over the older protocol: START, audio, STOP. After a lost connection the upload resumes at the server's
 * offset. If the server cannot resume, the upload restarts under a new id, because some servers would append to the
 * bytes of the old one.
 */
import { decodeReply, encodeStart, encodeStop, type Reply } from "../../wire/audio-cache.ts";
import type { Connection, SocketFrame } from "../transport/connection.ts";
import { type Digests, StreamDigests } from "../digests.ts";
import { ClientError } from "../errors.ts";
import { checkedStreamId, newStreamId } from "../stream-id.ts";
import { blockBytes, defaultChunkBytes, maxChunkBytes, sendSliceMs } from "../limits.ts";
import {
  connectionFor,
  retryPolicy,
  type TransferLimits,
  type TransferOptions,
  transferLimits,
} from "./options.ts";
import { refusalOf } from "./refusals.ts";
import { pause, withRetries, type RetryNotice } from "../transport/retry.ts";
import type { AudioSource } from "../audio-source.ts";

export interface UploadOptions extends TransferOptions {
  source: AudioSource;
  /** Bytes of an upload frame, 1 to 16 MiB; 8 KiB by default. */
  chunkBytes?: number;
  /** The stream's id; a new unique one by default. With an id given, the upload never restarts under another one. */
  streamId?: string;
  /** Resumes the unfinished stream `streamId` of an earlier upload of the same audio. */
  resume?: boolean;
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
  /** Connections lost during the upload. */
  reconnects: number;
}

/**
 * Uploads a source. Throws BAD_ARGUMENT, REFUSED, NOT_RESUMABLE (the given id cannot be resumed), MISMATCH (the server
 * has other bytes), SOURCE_CHANGED, errors of the connection after the policy's retries, or the reason of the signal.
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
  #finalDigests: Digests | undefined;
  #streamId: string;
  /** Whether the server may hold bytes under this id. */
  #used: boolean;
  #resumable: boolean;
  /** The furthest offset at which an attempt has resumed. */
  #resumedBytes = 0;
  #reconnects = 0;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.#limits = transferLimits(options);
    this.#source = options.source;
    this.#chunkBytes = checkedChunkBytes(options.chunkBytes ?? defaultChunkBytes);
    this.#blockBytes = Math.max(1, Math.floor(blockBytes / this.#chunkBytes)) * this.#chunkBytes;
    this.#digests = new StreamDigests(options.platform, options.digests ?? ["sha256"]);
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
      digests: this.#digestsOfAll(),
      acknowledgement,
      reconnects: this.#reconnects,
    };
  }

  async #attempt(): Promise<Acknowledgement> {
    const connection = await connectionFor(this.#options, this.#limits);
    try {
      const offset = await this.#start(connection);
      await this.#catchUp(offset);
      await this.#send(connection, offset);
      return await this.#stop(connection);
    } catch (error) {
      // A server may send ERROR and close: the ERROR says more than the close.
      throw errorAmong(connection.drain()) ?? error;
    } finally {
      connection.close();
    }
  }

  /** Sends START and returns the offset to send from. */
  async #start(connection: Connection): Promise<number> {
    if (this.#used && !this.#resumable) this.#restart();
    const resume = this.#used;
    this.#used = true;
    connection.send(encodeStart(this.#streamId, resume));
    const reply = await this.#reply(connection, "STARTED");
    if (reply === undefined) throw new ClientError("ANSWER_TIMEOUT", "START");
    if (reply.type === "ERROR") throw this.#startRefused(reply.message, resume);
    if (resume) return this.#resumed(reply.offset);
    this.#resumable = reply.resumable;
    const event = { type: "started", streamId: this.#streamId, resumable: reply.resumable } as const;
    this.#options.onEvent?.(event);
    return 0;
  }

  #restart(): void {
    if (this.#options.streamId !== undefined) throw new ClientError("NOT_RESUMABLE", this.#streamId);
    const oldStreamId = this.#streamId;
    this.#streamId = newStreamId();
    this.#used = false;
    this.#options.onEvent?.({ type: "restarted", oldStreamId, streamId: this.#streamId });
  }

  #startRefused(message: string, resume: boolean): ClientError {
    const error = refusalOf(message);
    if (!resume || error.again || this.#options.streamId !== undefined) return error;
    this.#resumable = false;
    return new ClientError("RESUME_REFUSED", message);
  }

  #resumed(offset: number | undefined): number {
    // Without an offset the server has ignored `resume`, and may append to the bytes that it has.
    if (offset === undefined) {
      this.#resumable = false;
      throw new ClientError("RESUME_REFUSED", "it sends no offset to resume from");
    }
    if (offset > this.#source.sizeBytes) {
      const detail = `the server has ${offset} bytes of ${this.#streamId}, more than the file`;
      throw new ClientError("MISMATCH", detail, "is it the same file?");
    }
    this.#resumedBytes = Math.max(this.#resumedBytes, offset);
    this.#options.onEvent?.({ type: "resumed", streamId: this.#streamId, offset });
    return offset;
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
      const refused = errorAmong(connection.drain());
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
    this.#options.onEvent?.({ type: "stopping", streamId: this.#streamId });
    connection.send(encodeStop(this.#streamId));
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
    const own = this.#digestsOfAll().sha256;
    if (sha256 === undefined || own === undefined) return "stopped";
    if (sha256 !== own) throw new ClientError("MISMATCH", `SHA-256 is ${own} here, ${sha256} at the server`);
    return "verified";
  }

  #digestsOfAll(): Digests {
    this.#finalDigests ??= this.#digests.finish();
    return this.#finalDigests;
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

/** A server may refuse in the middle of an upload; its other messages do not matter there. */
function errorAmong(frames: readonly SocketFrame[]): ClientError | undefined {
  for (const frame of frames) {
    const reply = typeof frame === "string" ? decodeReply(frame) : undefined;
    if (reply?.type === "ERROR") return refusalOf(reply.message);
  }
  return undefined;
}

function checkedChunkBytes(bytes: number): number {
  if (Number.isInteger(bytes) && bytes >= 1 && bytes <= maxChunkBytes) return bytes;
  throw new ClientError("BAD_ARGUMENT", `a chunk of ${bytes} bytes`, `use 1 to ${maxChunkBytes}`);
}
