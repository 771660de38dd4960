/** Local copies of archived objects. */
import { maxEvictedTogether } from "../../base/limits/archive.ts";
import { maxStreamsOfObject } from "../../base/limits/streams.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { EvictableObject, EvictionPosition } from "../../store/archive/catalog.ts";
import { type Copies, type Dropped, type PagedCopies, PagesCursor } from "./copies.ts";

export interface ObjectCopiesHost {
  keeper: Pick<KeeperClient, "call">;
  isInUse(streamId: string): boolean;
  /** Whoever wants to read one of the streams waits for the removal of the files. */
  leave(objects: readonly EvictableObject[], removal: Promise<unknown>): void;
  /** The local copies are gone. */
  evicted(objects: readonly { sha256: string; size: number }[]): void;
}

type Row = EvictableObject & EvictionPosition;

export class ObjectCopies implements Copies, PagedCopies<Row> {
  readonly #host: ObjectCopiesHost;

  constructor(host: ObjectCopiesHost) {
    this.#host = host;
  }

  cursor(): PagesCursor<Row> {
    return new PagesCursor(this);
  }

  page(after: Row | undefined): Promise<readonly Row[]> {
    const { usedAt, sha256 } = after ?? { usedAt: -1, sha256: "" };
    return this.#host.keeper.call("evictable", { after: { usedAt, sha256 }, limit: maxEvictedTogether });
  }

  /** Of an object with very many streams it is not known who reads it. */
  isInUse({ streamIds }: Row): boolean {
    return streamIds.length >= maxStreamsOfObject || streamIds.some((id) => this.#host.isInUse(id));
  }

  async evict(objects: readonly Row[]): Promise<Dropped> {
    const { keeper, leave, evicted } = this.#host;
    const removal = keeper.call("evict", { sha256s: objects.map(({ sha256 }) => sha256) });
    leave(objects, removal);
    const gone = await removal;
    evicted(gone);
    return { count: gone.length, bytes: gone.reduce((sum, { size }) => sum + size, 0) };
  }
}
