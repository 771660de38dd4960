/** Local `.wav` files of archived recordings. Whoever has one open reads on. */
import { maxEvictedTogether } from "../../base/limits/archive.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { EvictableRecording, RecordingPosition } from "../../store/archive/catalog.ts";
import { type Copies, type Dropped, type PagedCopies, PagesCursor } from "./copies.ts";

export interface RecordingCopiesHost {
  keeper: Pick<KeeperClient, "call">;
  /** Of all recordings. */
  folder: string;
  isInUse(id: number): boolean;
  evicted(dropped: Dropped): void;
}

type Row = EvictableRecording & RecordingPosition;

export class RecordingCopies implements Copies, PagedCopies<Row> {
  readonly #host: RecordingCopiesHost;

  constructor(host: RecordingCopiesHost) {
    this.#host = host;
  }

  cursor(): PagesCursor<Row> {
    return new PagesCursor(this);
  }

  page(after: Row | undefined): Promise<readonly Row[]> {
    const { usedAt, id } = after ?? { usedAt: -1, id: -1 };
    return this.#host.keeper.call("evictableRecordings", {
      after: { usedAt, id },
      limit: maxEvictedTogether,
    });
  }

  isInUse({ id }: Row): boolean {
    return this.#host.isInUse(id);
  }

  async evict(rows: readonly Row[]): Promise<Dropped> {
    const { keeper, folder, evicted } = this.#host;
    const dropped = await keeper.call("evictRecordings", { folder, ids: rows.map(({ id }) => id) });
    evicted(dropped);
    return dropped;
  }
}
