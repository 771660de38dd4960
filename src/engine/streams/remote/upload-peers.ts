/**
 * Uploads at other nodes: asks their nodes to release them, and follows them. A node that does not answer is passed by: the
 * catalog decides who has an upload, whatever its former owner does.
 */
import { mkdirSync, rmSync } from "node:fs";
import { WavecacheError } from "../../../base/errors.ts";
import { followedIdleMs, maxFollowedUploads } from "../../../base/limits/bus.ts";
import type { Log } from "../../../base/log/log.ts";
import type { Bus } from "../../../bus/bus.ts";
import type { CacheLayout } from "../../../store/layout.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import { describeStream } from "../../../store/streams/metadata.ts";
import { decodeRemoveAnswer, encodeUploadRequest, type RemoveAnswer } from "../../../wire/cluster/uploads.ts";
import type { Readable } from "../readable-streams.ts";
import { FollowedUpload } from "./followed-upload.ts";
import { type SharedUploads, UploadRequests } from "./upload-requests.ts";

export interface PeersHost {
  readonly own: SharedUploads;
  readonly layout: CacheLayout;
  /** So many bytes came here, or went. Throws FETCHES_EXHAUSTED. */
  reserve(bytes: number): void;
  /** A file is about to be deleted. */
  forget(path: string): void;
  isInUse(streamId: string): boolean;
  /** Nobody sends more of this stream. */
  ended(streamId: string): void;
}

export class UploadPeers {
  readonly bus: Bus;
  readonly #host: PeersHost;
  readonly #log: Log;
  readonly #followed = new Map<string, FollowedUpload>();
  /** Since the start. */
  #files = 0;
  #requests: UploadRequests | undefined;
  #ticker: Timer | undefined;

  constructor(bus: Bus, host: PeersHost, log: Log) {
    this.bus = bus;
    this.#host = host;
    this.#log = log;
  }

  /** Uploads of other nodes that are followed here. */
  get following(): number {
    return this.#followed.size;
  }

  /** `node` is the id of this one. */
  open(node: string): void {
    const { followed } = this.#host.layout;
    rmSync(followed, { recursive: true, force: true });
    mkdirSync(followed);
    this.#requests = new UploadRequests(this.bus, node, this.#host.own, this.#log);
    this.#ticker = setInterval(() => this.#dropIdle(), followedIdleMs / 2);
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#requests?.close();
    await Promise.all([...this.#followed.values()].map((upload) => this.#drop(upload)));
  }

  /** Resolves once the node has released the upload, or has not answered in time. */
  async askForUpload(node: string, streamId: string): Promise<void> {
    try {
      await this.bus.request(`uploads.${node}`, encodeUploadRequest({ op: "release", streamId }));
    } catch (error) {
      this.#log.debug("a node was not asked for its upload", { streamId, node, error });
    }
  }

  /**
   * Has a node remove its interrupted upload. Resolves with false if the node does not answer. Rejects with STREAM_UNKNOWN, and
   * with STREAM_UNFINISHED while it is uploaded.
   */
  async remove(node: string, streamId: string): Promise<boolean> {
    const answer = await this.#askToRemove(node, streamId);
    if (answer === undefined) return false;
    if (!("error" in answer)) return true;
    throw new WavecacheError(answer.error === "STREAM_UNKNOWN" ? "STREAM_UNKNOWN" : "STREAM_UNFINISHED");
  }

  async #askToRemove(node: string, streamId: string): Promise<RemoveAnswer | undefined> {
    try {
      const request = encodeUploadRequest({ op: "remove", streamId });
      const answer = await this.bus.request(`uploads.${node}`, request);
      return answer && decodeRemoveAnswer(answer);
    } catch (error) {
      this.#log.debug("a node did not remove its upload", { streamId, node, error });
      return undefined;
    }
  }

  /** The part of a stream of another node that can be read; undefined for one that is not uploaded. */
  async locate(row: StreamRow, wantedBytes: number): Promise<Readable | undefined> {
    if (row.state === "finished") return await this.#locateFinished(row);
    const upload = this.#follow(row);
    const size = await upload.readable(wantedBytes);
    return { ...this.#readableOf(upload), size, finishedAt: undefined, sha256: undefined };
  }

  /** An upload that was located lately. */
  get(streamId: string): FollowedUpload | undefined {
    return this.#followed.get(streamId);
  }

  /** Somebody sends more of it, as far as is known. */
  isGrowing(streamId: string): boolean {
    return this.#followed.get(streamId)?.isOver === false;
  }

  /** The stream is continued here. */
  forget(streamId: string): void {
    const upload = this.#followed.get(streamId);
    if (upload !== undefined) this.ended(upload);
  }

  reserve(bytes: number): void {
    this.#host.reserve(bytes);
  }

  ended(upload: FollowedUpload): void {
    this.#host.ended(upload.place.streamId);
  }

  /** What was followed to its end is whole here, before the archive has it. */
  async #locateFinished(row: StreamRow): Promise<Readable | undefined> {
    const upload = this.#followed.get(row.streamId);
    if (upload === undefined || upload.place.key !== row.key) return undefined;
    const size = await upload.readable(row.size);
    if (size !== row.size || upload.sha256 !== row.sha256) return undefined;
    const { sha256, format } = row;
    const finishedAt = row.finishedAt!;
    return { ...this.#readableOf(upload), size, finishedAt, sha256, format, metadata: describeStream(row) };
  }

  #readableOf({ path, place: { key, metadata } }: FollowedUpload) {
    return { file: { path, immutable: false }, key, metadata, format: null };
  }

  #follow({ streamId, key, otherNode, metadata }: StreamRow): FollowedUpload {
    const known = this.#followed.get(streamId);
    if (known !== undefined && known.place.key === key && known.place.node === otherNode) return known;
    if (known !== undefined) void this.#drop(known);
    else if (this.#followed.size >= maxFollowedUploads) throw new WavecacheError("FETCHES_EXHAUSTED");
    const place = { streamId, key, node: otherNode!, metadata };
    const upload = new FollowedUpload(place, this.#newPath(key), this);
    this.#followed.set(streamId, upload);
    return upload;
  }

  /** The file of an earlier one with this key may be about to be removed. */
  #newPath(key: string): string {
    this.#files += 1;
    return this.#host.layout.followedPath(`${key}.${this.#files}`);
  }

  #dropIdle(): void {
    for (const upload of this.#followed.values()) {
      const isUsed = upload.idleMs < followedIdleMs || this.#host.isInUse(upload.place.streamId);
      if (!isUsed) void this.#drop(upload);
    }
  }

  async #drop(upload: FollowedUpload): Promise<void> {
    const { streamId } = upload.place;
    if (this.#followed.get(streamId) === upload) this.#followed.delete(streamId);
    this.#host.forget(upload.path);
    try {
      await upload.close();
    } catch (error) {
      this.#log.debug("the file of a followed upload could not be removed", { streamId, error });
    }
  }
}
