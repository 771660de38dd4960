/**
 * The keeper's part in recordings: forces what the writers wrote to the disk, a group at a time, and enters the segments
 * of the group that are complete (steps 4 and 5 of segment.ts). One call of the system covers any number of streams
 * where there is such a call; else each changed file is synced, and the folders that have their names.
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

/** What is used of the catalog. */
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

  /** Makes segments durable, and enters those that are closed. */
  async sync({ folder, open, closed }: KeeperArgs<"syncRecordings">): Promise<null> {
    await this.#force(folder, [...open, ...closed.map((recording) => recording.name)]);
    this.#enter(closed);
    return null;
  }

  /** Repairs segments that are not in the catalog and enters what comes of it. */
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
      await this.#force(folder, files);
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

  async #force(folder: string, names: string[]): Promise<void> {
    if (!fs.existsSync(folder)) throw new WavecacheError("STORE_FAILED", `${folder} is gone`);
    if (await this.#syncFileSystem(folder)) return;
    const paths = names.flatMap((name) => [join(folder, `${name}.bin`), join(folder, `${name}.wav`)]);
    await Promise.all(paths.map(syncIfThere));
    for (const each of new Set([folder, ...paths.map((path) => dirname(path))])) syncFolder(each);
  }
}

/** A file that somebody has removed in the meantime holds nobody else's up. */
async function syncIfThere(path: string): Promise<void> {
  try {
    await syncFile(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
