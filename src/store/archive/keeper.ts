/** The keeper's part in the archive: what the catalog knows of it. Nothing here waits for the object store. */
import { archiveFillPage } from "../../base/limits/archive.ts";
import { noteDamage } from "../events/facts.ts";
import type { Journal } from "../journal/journal.ts";
import { type CacheLayout, removeFile, sizeOfFile } from "../layout.ts";
import type { Catalog } from "../streams/catalog.ts";
import type { ArchiveCalls, QueuedItem, QuickArchiveCall } from "./calls.ts";
import type { ArchiveCatalog } from "./catalog.ts";
import { isPartedKey } from "./keys.ts";

type Args<C extends keyof ArchiveCalls> = ArchiveCalls[C][0];
type Result<C extends keyof ArchiveCalls> = ArchiveCalls[C][1];

export interface ArchiveKeeperStore {
  layout: CacheLayout;
  catalog: Catalog;
  journal: Pick<Journal, "append">;
}

export class ArchiveKeeper {
  readonly #store: ArchiveKeeperStore;
  readonly #archive: ArchiveCatalog;
  readonly calls: { [C in QuickArchiveCall]: (args: Args<C>) => Result<C> } = {
    archiveFill: ({ limit, at }) => this.#archive.fill(limit, at),
    archiveDue: (args) => this.#due(args),
    archiveBegun: ({ item, uploadId }) => (this.#archive.begun(item, uploadId), null),
    archiveFailed: ({ item, retryMs }) => {
      this.#archive.failed(item, this.#store.catalog.runningMs() + Math.ceil(retryMs));
      return null;
    },
    archived: (args) => this.#archived(args),
    archiveUploads: ({ after }) => this.#archive.uploads(after, archiveFillPage),
    archiveLost: ({ sha256 }) => ({
      streamIds: this.#lost(sha256),
      recordings: this.#archive.recordings.lost(sha256),
    }),
    partsFind: ({ streamId }) => this.#store.catalog.parts.find(streamId) ?? null,
    partsBegin: ({ upload, ref }) => this.#store.catalog.parts.begin(upload, ref),
    partsRecord: ({ upload, ref, part }) => this.#store.catalog.parts.record(upload, ref, part),
    partsForget: ({ upload }) => this.#store.catalog.parts.forget(upload),
    partsRestored: (args) => this.#restored(args),
    partsUploads: ({ after }) => this.#store.catalog.parts.uploads(after, archiveFillPage),
    archiveRemovals: ({ limit, exceptKeys }) =>
      this.#archive.removals(this.#store.catalog.runningMs(), limit, exceptKeys),
    archiveRemoved: ({ key }) => (this.#archive.removed(key), null),
    archiveTotals: () => this.#archive.totals(),
    archiveItem: ({ sha256 }) => this.#archive.findAnywhere(sha256) ?? null,
    archiveItemsAfter: ({ sha256, limit }) => this.#archive.after(sha256, limit),
    evictable: ({ after, limit }) => this.#archive.evictable(after, limit),
    evictableRecordings: ({ after, limit }) => this.#archive.recordings.evictable(after, limit),
  };

  constructor(store: ArchiveKeeperStore) {
    this.#store = store;
    this.#archive = store.catalog.archive;
  }

  /**
   * An object is damaged or missing here. If the archive has it, the local copy goes: the next read fetches it. Returns
   * false if nothing can replace it.
   */
  replaces(sha256: string): boolean {
    if (this.#archive.find(sha256)?.isArchived !== true) return false;
    const { layout } = this.#store;
    this.#archive.setLocal(sha256, false);
    if (sizeOfFile(layout.objectPath(sha256)) !== undefined) removeFile(layout.objectPath(sha256));
    return true;
  }

  /** Only what was begun in parts while it came has some of them in the catalog. */
  #due({ limit, exceptKeys }: Args<"archiveDue">): QueuedItem[] {
    const { catalog } = this.#store;
    const items = this.#archive.due(catalog.runningMs(), limit, exceptKeys);
    return items.map((item) => {
      const parts = item.uploadId !== null && isPartedKey(item.key) ? catalog.parts.partsOf(item.key) : [];
      return Object.assign(item, { parts });
    });
  }

  #restored({ upload, baseKey, count, bytes, at }: Args<"partsRestored">): boolean {
    const { catalog } = this.#store;
    const { streamId, key } = upload;
    const row = catalog.find(streamId);
    if (row?.key !== key || row.state !== "unfinished" || row.otherNode !== undefined) return false;
    if (count === 0) catalog.parts.end(streamId);
    else catalog.parts.rebase(streamId, baseKey, count);
    catalog.touch(streamId, bytes, at);
    catalog.markDurable(streamId, key, bytes);
    return true;
  }

  #lost(sha256: string): string[] {
    const item = this.#archive.find(sha256);
    if (item === undefined) return [];
    if (!item.isLocal) return noteDamage(this.#store.catalog, sha256);
    this.#archive.requeue(sha256);
    return [];
  }

  /** The journal knows it too: a catalog that is built anew finds audio that is in the archive alone. */
  #archived({ item }: Args<"archived">): boolean {
    const { sha256, key } = item;
    if (!this.#archive.archived(item)) {
      // Another node may have removed the key before the object came there.
      this.#archive.discard(item);
      return false;
    }
    this.#store.journal.append([{ archive: { sha256, key } }]);
    return true;
  }
}
