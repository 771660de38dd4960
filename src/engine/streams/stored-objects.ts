/** Audio that the cache has already: who asks for it by its SHA-256 need not upload it. */
import { maxStreamsOfObject } from "../../base/limits/streams.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { Pool } from "../../pool/pool.ts";
import type { Account } from "../../store/streams/accounts.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import type { StreamMetadata } from "../../store/streams/metadata.ts";
import type { AccountStorage } from "./account-storage.ts";
import type { StreamCounts } from "./counts.ts";
import type { StreamQuota } from "./stream-quota.ts";
import type { StreamFigures } from "./upload-storage.ts";
import type { Receipt } from "./upload-state.ts";

export interface StoredObjectsHost {
  /** Throws if no stream of this id may begin now. */
  checkId(streamId: string): void;
  /** A unique key of a new stream. */
  newKey(): string;
  /** Resolves when a stream of this object may be acknowledged. Rejects with ARCHIVE_UNAVAILABLE. */
  archived(sha256: string): Promise<void>;
}

export class StoredObjects {
  readonly #keeper: Pick<Pool["keeper"], "call">;
  readonly #accounts: AccountStorage;
  readonly #counts: StreamCounts;
  readonly #quota: StreamQuota;
  readonly #host: StoredObjectsHost;

  constructor(
    keeper: Pick<Pool["keeper"], "call">,
    { counts, quota, accounts }: Pick<StreamFigures, "counts" | "quota" | "accounts">,
    host: StoredObjectsHost,
  ) {
    this.#keeper = keeper;
    this.#accounts = accounts;
    this.#counts = counts;
    this.#quota = quota;
    this.#host = host;
  }

  /** Some of the finished streams with this audio; none if it is damaged, or not there. */
  streamsOf(sha256: string): Promise<StreamRow[]> {
    return this.#keeper.call("streamsOf", { sha256, limit: maxStreamsOfObject });
  }

  /** Makes a finished stream of audio that is there. Rejects with OBJECT_UNKNOWN, STREAM_EXISTS, and TOKEN_LIMIT_REACHED. */
  async adopt(
    streamId: string,
    sha256: string,
    metadata: StreamMetadata,
    account: Account | undefined,
  ): Promise<Receipt> {
    this.#host.checkId(streamId);
    this.#quota.checkNew(streamId);
    this.#counts.pending += 1;
    try {
      const room = this.#accounts.roomOf(account);
      const call = { streamId, key: this.#host.newKey(), sha256, metadata, room, at: sharedNow() };
      const { size } = await this.#keeper.call("adopt", call);
      this.#accounts.adopted(account, size);
      this.#counts.adopted();
      await this.#host.archived(sha256);
      return { size, sha256 };
    } finally {
      this.#counts.pending -= 1;
    }
  }
}
