/**
 * An upload in progress at another node, as far as it is here: a file that grows by what the other node sends when it is
 * asked. Whoever reads it here reads that file. What is here is a cache: a start removes it.
 */
import * as fs from "node:fs/promises";
import { errorCodes, WavecacheError } from "../../../base/errors.ts";
import { followPullMs, remoteAbsenceMs } from "../../../base/limits/bus.ts";
import type { Bus } from "../../../bus/bus.ts";
import type { StreamMetadata } from "../../../store/streams/metadata.ts";
import { decodeReadAnswer, encodeUploadRequest } from "../../../wire/cluster/uploads.ts";

/** Where the upload is. */
export interface UploadPlace {
  streamId: string;
  /** Of the upload. */
  key: string;
  node: string;
  metadata: StreamMetadata;
}

export interface FollowHost {
  readonly bus: Bus;
  /** So many bytes came here, or went. Throws FETCHES_EXHAUSTED. */
  reserve(bytes: number): void;
  /** No more will come, or the node is gone. */
  ended(upload: FollowedUpload): void;
}

export class FollowedUpload {
  readonly place: UploadPlace;
  /** Of the file. */
  readonly path: string;
  readonly #host: FollowHost;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  /** Nobody sends more of it, as far as is known. */
  isOver = false;
  #file: fs.FileHandle | undefined;
  #size = 0;
  /** What the other node has, as far as is known. */
  #sizeThere = 0;
  #pulling: Promise<void> | undefined;
  #heardAtMs = performance.now();
  #usedAtMs = performance.now();

  constructor(place: UploadPlace, path: string, host: FollowHost) {
    this.place = place;
    this.path = path;
    this.#host = host;
  }

  /** Bytes here. */
  get size(): number {
    return this.#size;
  }

  /** Since somebody asked for it. */
  get idleMs(): number {
    return performance.now() - this.#usedAtMs;
  }

  /** SHA-256 of what is here, in lower-case hex. */
  get sha256(): string {
    return this.#hasher.copy().digest("hex");
  }

  /**
   * Resolves with the bytes that can be read here: `wantedBytes`, or what the other node has, or what came in time. Rejects
   * with NODE_UNREACHABLE, STREAM_UNKNOWN, FETCHES_EXHAUSTED.
   */
  async readable(wantedBytes: number): Promise<number> {
    const endMs = performance.now() + followPullMs;
    do {
      this.#usedAtMs = performance.now();
      this.#pulling ??= this.#pull().finally(() => {
        this.#pulling = undefined;
      });
      await this.#pulling;
    } while (this.#size < Math.min(wantedBytes, this.#sizeThere) && performance.now() < endMs);
    return this.#size;
  }

  /** The file is gone after this. */
  async close(): Promise<void> {
    await this.#pulling?.catch(closing);
    await this.#file?.close();
    this.#file = undefined;
    await fs.rm(this.path, { force: true });
    this.#host.reserve(-this.#size);
  }

  async #pull(): Promise<void> {
    try {
      const { size, isOver, audio } = await this.#ask();
      this.#heardAtMs = performance.now();
      await this.#append(audio);
      this.#sizeThere = size;
      this.isOver = isOver;
      if (isOver && this.#size >= size) this.#host.ended(this);
    } catch (error) {
      const isGone = !(error instanceof WavecacheError) || error.code !== "NODE_UNREACHABLE";
      if (isGone || performance.now() - this.#heardAtMs > remoteAbsenceMs) {
        this.isOver = true;
        this.#host.ended(this);
      }
      throw error;
    }
  }

  async #ask(): Promise<{ size: number; isOver: boolean; audio: Uint8Array }> {
    const { streamId, key, node } = this.place;
    const request = encodeUploadRequest({ op: "read", streamId, key, offset: this.#size });
    const payload = await this.#host.bus.request(`uploads.${node}`, request);
    const answer = payload && decodeReadAnswer(payload);
    if (answer === undefined) throw new WavecacheError("NODE_UNREACHABLE", `node ${node}`);
    const { head, audio } = answer;
    if (!("error" in head)) return { ...head, audio };
    throw new WavecacheError(errorCodes.find((code) => code === head.error) ?? "NODE_UNREACHABLE");
  }

  async #append(audio: Uint8Array): Promise<void> {
    this.#host.reserve(audio.length);
    try {
      await this.#write(audio);
    } catch (error) {
      this.#host.reserve(-audio.length);
      throw error;
    }
    this.#hasher.update(audio);
    this.#size += audio.length;
  }

  async #write(audio: Uint8Array): Promise<void> {
    this.#file ??= await fs.open(this.path, "w", 0o600);
    for (let at = 0; at < audio.length;) {
      const { bytesWritten } = await this.#file.write(audio, at, audio.length - at, this.#size + at);
      at += bytesWritten;
    }
  }
}

function closing(): void {}
