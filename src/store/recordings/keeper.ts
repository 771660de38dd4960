/**
 * The keeper's part in recordings: syncs what the writers wrote, a group at a time, and inserts the complete segments
 * of the group into the catalog (steps 4 and 5 of segment.ts). `syncfs` covers any number of streams with one system
 * call. Platforms without it sync each changed file and its folder.
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import type { Catalog } from "../streams/catalog.ts";
import type { KeeperArgs, KeeperResult } from "../keeper-calls.ts";
import { isMissing, syncFile, syncFolder } from "../layout.ts";
import type { SyncFileSystem } from "../sync-file-system.ts";
import type { RecordingCatalog, RecordingQuery, RecordingRow } from "./catalog.ts";
import { listSegments, repairSegment } from "./repair.ts";

/** The part of the catalog that this needs. */
type Transactions = Pick<Catalog, "transaction"> & { readonly recordings: RecordingCatalog };

export class RecordingKeeper {
  readonly #catalog: Transactions;
  readonly #recordings: RecordingCatalog;
  readonly #syncFileSystem: SyncFileSystem;

  constructor(catalog: Transactions, syncFileSystem: SyncFileSystem) {
    this.#catalog = catalog;
    this.#recordings = catalog.recordings;
    this.#syncFileSystem = syncFileSystem;
  }

  list(query: RecordingQuery): RecordingRow[] {
    return this.#recordings.list(query);
  }

  /** Makes segments durable, then inserts the closed ones. */
  async sync({ folder, open, closed }: KeeperArgs<"syncRecordings">): Promise<null> {
    await this.#sync(folder, [...open, ...closed.map((recording) => recording.name)]);
    this.#enter(closed);
    return null;
  }

  /** Repairs segments that are not in the catalog, makes them durable and inserts them. */
  async repair({ folder, names }: KeeperArgs<"repairRecordings">): Promise<KeeperResult<"repairRecordings">> {
    const repaired: RecordingEntry[] = [];
    const result = { entered: 0, removed: 0, damaged: [] as string[] };
    for (const name of names ?? listSegments(folder)) {
      if (this.#recordings.has(name)) continue;
      const outcome = repairSegment(folder, name);
      if (outcome === "removed") result.removed += 1;
      else if (outcome === "damaged") result.damaged.push(name);
      else repaired.push(outcome);
    }
    result.entered = repaired.length;
    if (repaired.length > 0) {
      const files = repaired.map(({ name }) => name);
      await this.#sync(folder, files);
    }
    this.#enter(repaired);
    return result;
  }

  #enter(recordings: RecordingEntry[]): void {
    if (recordings.length === 0) return;
    this.#catalog.transaction(() => {
      for (const recording of recordings) this.#recordings.enter(recording);
    }, true);
  }

  async #sync(folder: string, names: string[]): Promise<void> {
    if (!fs.existsSync(folder)) throw new WavecacheError("STORE_FAILED", `${folder} is gone`);
    if (await this.#syncFileSystem(folder)) return;
    const paths = names.flatMap((name) => [join(folder, `${name}.bin`), join(folder, `${name}.wav`)]);
    await Promise.all(paths.map(syncIfThere));
    for (const each of new Set([folder, ...paths.map((path) => dirname(path))])) syncFolder(each);
  }
}

/** A file that was removed in the meantime must not fail its group. */
async function syncIfThere(path: string): Promise<void> {
  try {
    await syncFile(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
