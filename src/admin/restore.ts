/**
 * `restore DIR`: the store of a backup, in an empty cache folder. The catalog comes last: until then a start refuses the
 * folder, since it has objects and no catalog, and another `restore --force` continues.
 */
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { WavecacheError } from "../base/errors.ts";
import type { RecordedFile } from "../base/recording-entry.ts";
import { readFromCatalog } from "../store/catalog-reader.ts";
import { forgetPosition } from "../store/check/journal-pass.ts";
import { setAside } from "../store/check/lost-found.ts";
import { requireCatalogFile } from "./store-folder.ts";
import { CacheLayout, removeFile, sizeOfFile, syncFile, syncFolder } from "../store/layout.ts";
import { lockFolders } from "../store/lock.ts";
import { isHere } from "../store/recordings/place.ts";
import { SqliteCatalog } from "../store/streams/sqlite/catalog.ts";
import { BackupFolder } from "./backup-folder.ts";
import { allRecordings, type FinishedRow, finishedStreams } from "./catalog-pages.ts";
import { copy, isSound, namesIn, syncFolders } from "./files.ts";
import type { Outcome, Problem, Progress } from "./report.ts";

export interface RestoreOptions {
  /** Read the whole of every restored file, and compare its SHA-256. */
  deep: boolean;
  /** Restore over a store: its catalog moves to lost+found/, its other files stay. */
  force: boolean;
}

export interface RestoreTarget {
  cacheDir: string;
  recordingsDir: string;
}

export async function restore(
  folder: string,
  { cacheDir, recordingsDir }: RestoreTarget,
  options: RestoreOptions,
  progress: Progress,
): Promise<Outcome> {
  const backup = new BackupFolder(folder);
  const manifest = backup.readManifest();
  if (manifest?.isComplete !== true) throw new WavecacheError("BACKUP_UNUSABLE", `${folder} is not complete`);
  const locks = lockFolders(cacheDir, recordingsDir);
  try {
    const layout = new CacheLayout(cacheDir);
    requireCatalogFile(layout);
    clear(layout, options.force);
    return await new Restore(backup, layout, recordingsDir, options, progress).run(manifest.hasRecordings);
  } finally {
    locks.release();
    progress.end();
  }
}

function clear(layout: CacheLayout, force: boolean): void {
  const found = [layout.objects, layout.incoming, layout.journal].filter((path) => namesIn(path).length > 0);
  const catalogs = ["", "-wal", "-shm"].map((suffix) => layout.catalog + suffix).filter(fs.existsSync);
  const [first] = [...catalogs, ...found];
  if (first !== undefined && !force) throw new WavecacheError("STORE_NOT_EMPTY", first);
  for (const path of catalogs) setAside(layout, path, basename(path), "catalog");
}

class Restore {
  readonly #backup: BackupFolder;
  readonly #layout: CacheLayout;
  readonly #recordingsDir: string;
  readonly #options: RestoreOptions;
  readonly #progress: Progress;
  readonly #problems: Problem[] = [];
  readonly #figures = { streams: 0, objects: 0, recordings: 0, copiedBytes: 0 };
  readonly #folders = new Set<string>();

  constructor(
    backup: BackupFolder,
    layout: CacheLayout,
    recordingsDir: string,
    options: RestoreOptions,
    progress: Progress,
  ) {
    this.#backup = backup;
    this.#layout = layout;
    this.#recordingsDir = recordingsDir;
    this.#options = options;
    this.#progress = progress;
  }

  async run(hasRecordings: boolean): Promise<Outcome> {
    const draft = `${this.#layout.catalog}.draft`;
    this.#layout.create();
    for (const suffix of ["", "-wal", "-shm"]) removeFile(draft + suffix);
    await copy(this.#backup.catalog, draft);
    const catalog = new SqliteCatalog(draft);
    try {
      await this.#copyObjects(catalog);
      if (hasRecordings) await this.#copyRecordings(catalog);
      await this.#copyJournal(catalog);
    } finally {
      catalog.close();
    }
    await syncFile(draft);
    fs.renameSync(draft, this.#layout.catalog);
    syncFolder(this.#layout.root);
    return { figures: this.#figures, problems: this.#problems };
  }

  async #copyObjects(catalog: SqliteCatalog): Promise<void> {
    this.#progress.step("streams:");
    for await (const page of finishedStreams(readFromCatalog(catalog))) {
      for (const stream of page) {
        await this.#copyObject(stream);
        this.#progress.count((this.#figures.streams += 1));
      }
    }
    syncFolders(this.#layout.objects, this.#folders);
  }

  /** A damaged object that is there moves to lost+found/. What is in the archive alone stays there. */
  async #copyObject({ streamId, sha256, size, isEvicted }: FinishedRow): Promise<void> {
    if (isEvicted) return;
    const [from, to] = [this.#backup.objectPath(sha256), this.#layout.objectPath(sha256)];
    const content = { bytes: size, sha256 };
    if (await this.#isSound(to, content)) return;
    if (!(await this.#isSound(from, content))) {
      const message = "its audio is missing or damaged in the backup";
      this.#problems.push({ code: "object-damaged", subject: streamId, message });
    }
    if (sizeOfFile(from) === undefined) return;
    if (fs.existsSync(to)) setAside(this.#layout, to, sha256, "objects");
    await this.#copyFile(from, to);
    this.#figures.objects += 1;
  }

  async #copyRecordings(catalog: SqliteCatalog): Promise<void> {
    this.#progress.step("recordings:");
    for await (const page of allRecordings(readFromCatalog(catalog))) {
      for (const row of page) {
        const { name, bin, wav } = row;
        await this.#copyRecordedFile(`${name}.bin`, bin);
        // Samples that are in the archive alone stay there.
        if (isHere(row)) await this.#copyRecordedFile(`${name}.wav`, wav);
        this.#progress.count((this.#figures.recordings += 1));
      }
    }
    syncFolders(this.#recordingsDir, this.#folders);
  }

  /** A file with other content that is there stays: it may be a recording that this backup does not know. */
  async #copyRecordedFile(name: string, content: RecordedFile): Promise<void> {
    const [from, to] = [join(this.#backup.recordings, name), join(this.#recordingsDir, name)];
    if (await this.#isSound(to, content)) return;
    const problem = { subject: name, code: "recording-damaged" };
    if (fs.existsSync(to)) {
      this.#problems.push({ ...problem, code: "recording-differs", message: "another file has its name" });
    } else if (await this.#isSound(from, content)) {
      await this.#copyFile(from, to);
    } else {
      this.#problems.push({ ...problem, message: "its file is missing or damaged in the backup" });
    }
  }

  async #isSound(path: string, { bytes, sha256 }: RecordedFile): Promise<boolean> {
    return await isSound(path, bytes, sha256, this.#options.deep);
  }

  async #copyFile(from: string, to: string): Promise<void> {
    await copy(from, to);
    this.#folders.add(dirname(to));
    this.#figures.copiedBytes += sizeOfFile(to) ?? 0;
  }

  /** A journal that is there knows what was finished and removed since the backup: the next start does it again. */
  async #copyJournal(catalog: SqliteCatalog): Promise<void> {
    const { journal } = this.#layout;
    if (namesIn(journal).length > 0) return catalog.transaction(() => forgetPosition(catalog), true);
    for (const name of namesIn(this.#backup.journal)) {
      await copy(join(this.#backup.journal, name), join(journal, name));
    }
    syncFolders(journal, []);
  }
}
