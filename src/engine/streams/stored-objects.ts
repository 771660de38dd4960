/** Audio that the cache has already: who asks for it by its SHA-256 need not upload it. */
import { maxStreamsOfObject } from "../../base/limits/streams.ts";
import type { Pool } from "../../pool/pool.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import type { StreamMetadata } from "../../store/streams/metadata.ts";
import type { StreamCounts } from "./counts.ts";
import type { StreamQuota } from "./stream-quota.ts";
import type { Receipt } from "./upload-state.ts";

export interface StoredObjectsHost {
  /** Throws if no stream of this id may begin now. */
  checkId(streamId: string): void;
  /** A unique key of a new stream. */
  newKey(): string;
}

export class StoredObjects {
  readonly #keeper: Pick<Pool["keeper"], "call">;
  readonly #counts: StreamCounts;
  readonly #quota: StreamQuota;
  readonly #host: StoredObjectsHost;

  constructor(
    keeper: Pick<Pool["keeper"], "call">,
    { counts, quota }: { counts: StreamCounts; quota: StreamQuota },
    host: StoredObjectsHost,
  ) {
    this.#keeper = keeper;
    this.#counts = counts;
    this.#quota = quota;
    this.#host = host;
  }

  /** Some of the finished streams with this audio; none if it is damaged, or not there. */
  streamsOf(sha256: string): Promise<StreamRow[]> {
    return this.#keeper.call("streamsOf", { sha256, limit: maxStreamsOfObject });
  }

  /** Makes a finished stream of audio that is there. Rejects with OBJECT_UNKNOWN and STREAM_EXISTS. */
  async adopt(streamId: string, sha256: string, metadata: StreamMetadata): Promise<Receipt> {
    this.#host.checkId(streamId);
    this.#quota.checkNew();
    this.#counts.pending += 1;
    try {
      const call = { streamId, key: this.#host.newKey(), sha256, metadata, at: Date.now() };
      const { size } = await this.#keeper.call("adopt", call);
      this.#counts.adopted();
      return { size, sha256 };
    } finally {
      this.#counts.pending -= 1;
    }
  }
}
