/**
 * `backup DIR`: a copy of everything finished, also while the server runs and changes the store.
 *
 *     1  the rows of the catalog are copied into a new catalog, a page at a time; audio that is in the archive alone stays
 *        there
 *     2  the objects that it names are linked or copied, and the recordings copied if asked for. A stream whose object is
 *        gone was removed since step 1: its row goes too. If its row is still there, the object is missing: a problem
 *     3  the new catalog replaces that of the backup before
 *     4  objects that only the backup before had are removed
 *
 * A stream that was finished before the backup began, and is not removed before it ends, is in it. A crash at any point
 * leaves the backup before, and the next backup continues with what is already there.
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import type { RecordedFile } from "../base/recording-entry.ts";
import { type CatalogReader, readFromCatalog } from "../store/catalog-reader.ts";
import { replaceJournal } from "../store/check/journal-pass.ts";
import { Journal } from "../store/journal/journal.ts";
import {
  type CacheLayout,
  isMissing,
  removeFile,
  sizeOfFile,
  syncFile,
  syncFolder,
} from "../store/layout.ts";
import type { RecordingRow } from "../store/recordings/catalog.ts";
import { acquireLock } from "../store/lock.ts";
import type { FinishedStream } from "../store/streams/catalog.ts";
import { SqliteCatalog } from "../store/streams/sqlite/catalog.ts";
import { BackupFolder } from "./backup-folder.ts";
import { allRecordings, archiveItems, finishedStreams } from "./catalog-pages.ts";
import { copy, isSound, linkOrCopy, namesIn, syncFolders } from "./files.ts";
import type { Outcome, Problem, Progress } from "./report.ts";

export interface BackupOptions {
  /** Read the whole of every file in the backup, and compare its SHA-256. */
  deep: boolean;
  /** Copy recordings too. */
  recordings: boolean;
  /** Copy objects even where links are possible: damage to the one file then spares the other. */
  copy: boolean;
}

export interface BackupSource {
  reader: CatalogReader;
  layout: CacheLayout;
  recordingsDir: string;
  /** Of this program. */
  version: string;
}

/** Streams whose files are copied at the same time. */
const filesAtOnce = 8;

export async function backUp(
  source: BackupSource,
  folder: string,
  options: BackupOptions,
  progress: Progress,
): Promise<Outcome> {
  const target = new BackupFolder(folder);
  const before = target.readManifest();
  fs.mkdirSync(target.root, { recursive: true, mode: 0o700 });
  const facts = { backup: 1 as const, startedAt: new Date().toISOString(), version: source.version };
  if (before === undefined) target.writeManifest({ ...facts, isComplete: false, hasRecordings: false });
  const lock = acquireLock(target.lock);
  try {
    const outcome = await new Backup(source, target, options, progress).run();
    const hasRecordings = options.recordings || before?.hasRecordings === true;
    target.writeManifest({ ...facts, isComplete: true, hasRecordings });
    return outcome;
  } finally {
    lock.release();
    progress.end();
  }
}

class Backup {
  readonly #source: BackupSource;
  readonly #target: BackupFolder;
  readonly #options: BackupOptions;
  readonly #progress: Progress;
  readonly #problems: Problem[] = [];
  readonly #figures = {
    streams: 0,
    recordings: 0,
    linkedObjects: 0,
    copiedObjects: 0,
    keptObjects: 0,
    archivedObjects: 0,
    archivedRecordings: 0,
    removedObjects: 0,
    copiedBytes: 0,
  };
  readonly #folders = new Set<string>();

  constructor(source: BackupSource, target: BackupFolder, options: BackupOptions, progress: Progress) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#progress = progress;
  }

  async run(): Promise<Outcome> {
    await this.#writeDraft();
    await this.#installDraft();
    this.#removeUnused();
    return { figures: this.#figures, problems: this.#problems };
  }

  async #writeDraft(): Promise<void> {
    const { draftCatalog } = this.#target;
    for (const suffix of ["", "-wal", "-shm"]) removeFile(draftCatalog + suffix);
    const catalog = new SqliteCatalog(draftCatalog);
    try {
      await this.#copyRows(catalog);
      await this.#copyObjects(catalog);
      if (this.#options.recordings) await this.#copyRecordings(catalog);
      await this.#writeJournal(catalog);
      this.#figures.streams = catalog.totals().finished;
    } finally {
      catalog.close();
    }
  }

  async #copyRows(catalog: SqliteCatalog): Promise<void> {
    const { reader } = this.#source;
    this.#progress.step("streams in the catalog:");
    // Items first: a stream of an evicted object counts as one.
    for await (const page of archiveItems(reader))
      catalog.transaction(() => page.forEach((item) => catalog.archive.enter(item)), false);
    for await (const page of finishedStreams(reader)) {
      catalog.transaction(() => page.forEach((stream) => catalog.enter(stream)), false);
      this.#progress.count(catalog.totals().finished);
    }
    for await (const page of allRecordings(reader)) {
      catalog.transaction(() => page.forEach((recording) => enterRecording(catalog, recording)), false);
      this.#figures.recordings += page.length;
    }
    const devices = await reader.call("listDevices", null);
    const tokens = await reader.call("listTokens", null);
    const ranges = await reader.call("pinnedRanges", null);
    catalog.transaction(() => {
      for (const device of devices) catalog.devices.enter(device);
      for (const token of tokens) catalog.tokens.enter(token);
      for (const range of ranges) catalog.retention.pinRange(range, true);
    }, false);
  }

  async #copyObjects(catalog: SqliteCatalog): Promise<void> {
    this.#progress.step("streams whose audio is in the backup:");
    let done = 0;
    for await (const page of finishedStreams(readFromCatalog(catalog))) {
      // Streams may share an object, and two copies of it would get in each other's way.
      const groups = [...Map.groupBy(page, ({ sha256 }) => sha256).values()];
      for (let from = 0; from < groups.length; from += filesAtOnce) {
        await Promise.all(
          groups.slice(from, from + filesAtOnce).map((group) => this.#copyObject(catalog, group)),
        );
      }
      this.#progress.count((done += page.length));
    }
    syncFolders(this.#target.objects, this.#folders);
  }

  /** `streams` share the object. */
  async #copyObject(catalog: SqliteCatalog, streams: FinishedStream[]): Promise<void> {
    const { sha256, size } = streams[0]!;
    const { deep } = this.#options;
    const [from, to] = [this.#source.layout.objectPath(sha256), this.#target.objectPath(sha256)];
    if (await isSound(to, size, sha256, deep)) {
      this.#figures.keptObjects += 1;
    } else if (catalog.archive.find(sha256)?.isLocal === false) {
      this.#figures.archivedObjects += 1;
    } else if (!(await this.#copyFile(from, to))) {
      await this.#noteMissing(catalog, streams);
    } else {
      if (await isSound(to, size, sha256, deep)) return;
      for (const { streamId } of streams)
        this.#report("object-damaged", streamId, "its audio is damaged in the store, and so in the backup");
    }
  }

  /** False if there is no such file. It may be removed at any moment, so only the attempt shows that. */
  async #copyFile(from: string, to: string): Promise<boolean> {
    try {
      const outcome = this.#options.copy ? await copy(from, to) : await linkOrCopy(from, to);
      this.#folders.add(dirname(to));
      this.#figures[outcome === "linked" ? "linkedObjects" : "copiedObjects"] += 1;
      if (outcome === "copied") this.#figures.copiedBytes += sizeOfFile(to) ?? 0;
      return true;
    } catch (error) {
      if (isMissing(error) && sizeOfFile(from) === undefined) return false;
      throw error;
    }
  }

  /** Either the streams were removed since their rows were copied, or their audio is lost. */
  async #noteMissing(catalog: SqliteCatalog, streams: FinishedStream[]): Promise<void> {
    for (const { streamId, key } of streams) {
      const row = await this.#source.reader.call("find", { streamId });
      if (row?.key === key && row.isEvicted)
        catalog.transaction(() => catalog.archive.setLocal(row.sha256!, false), false);
      else if (row?.key === key)
        this.#report("object-missing", streamId, "its audio is missing in the store");
      else catalog.transaction(() => catalog.remove(streamId), false);
    }
  }

  async #copyRecordings(catalog: SqliteCatalog): Promise<void> {
    this.#progress.step("recordings in the backup:");
    let done = 0;
    for await (const page of allRecordings(readFromCatalog(catalog))) {
      for (const { id, name, bin, wav, archive } of page) {
        await this.#copyRecordedFile(`${name}.bin`, bin);
        if (archive !== undefined && sizeOfFile(this.#recordedPath(`${name}.wav`)) === undefined)
          this.#leaveInArchive(catalog, id);
        else await this.#copyRecordedFile(`${name}.wav`, wav);
        this.#progress.count((done += 1));
      }
    }
    syncFolders(this.#target.recordings, this.#folders);
  }

  #recordedPath(name: string): string {
    return join(this.#source.recordingsDir, name);
  }

  /** Samples that were evicted, perhaps since the row was copied. */
  #leaveInArchive(catalog: SqliteCatalog, id: number): void {
    catalog.transaction(() => catalog.archive.recordings.setLocal(id, false), false);
    this.#figures.archivedRecordings += 1;
  }

  async #copyRecordedFile(name: string, { bytes, sha256 }: RecordedFile): Promise<void> {
    const [from, to] = [this.#recordedPath(name), join(this.#target.recordings, name)];
    const { deep } = this.#options;
    if (await isSound(to, bytes, sha256, deep)) return;
    if (sizeOfFile(from) === undefined) return this.#report("recording-missing", name, "the file is missing");
    // Always a copy: other programs may change a recording, and then the backup has what was recorded.
    await copy(from, to);
    this.#folders.add(dirname(to));
    this.#figures.copiedBytes += sizeOfFile(to) ?? 0;
    if (!(await isSound(to, bytes, sha256, deep)))
      this.#report("recording-changed", name, "the file is not what was recorded");
  }

  async #writeJournal(catalog: SqliteCatalog): Promise<void> {
    const journal = new Journal(this.#target.journal);
    try {
      await replaceJournal({ catalog, journal });
    } finally {
      await journal.close();
    }
  }

  async #installDraft(): Promise<void> {
    const { root, catalog, draftCatalog } = this.#target;
    await syncFile(draftCatalog);
    fs.renameSync(draftCatalog, catalog);
    syncFolder(root);
  }

  #removeUnused(): void {
    const catalog = new SqliteCatalog(this.#target.catalog);
    try {
      for (const folder of namesIn(this.#target.objects)) {
        for (const name of namesIn(join(this.#target.objects, folder))) {
          if (catalog.hasFinished(name)) continue;
          removeFile(join(this.#target.objects, folder, name));
          this.#figures.removedObjects += 1;
        }
      }
    } finally {
      catalog.close();
    }
  }

  #report(code: string, subject: string, message: string): void {
    this.#problems.push({ code, subject, message });
  }
}

/** It gets another id there. */
function enterRecording({ recordings, retention, archive }: SqliteCatalog, recording: RecordingRow): void {
  const id = recordings.enter(recording);
  const { name, wav } = recording;
  if (recording.archive !== undefined)
    archive.recordings.enter(id, { ...recording.archive, name, sha256: wav.sha256, size: wav.bytes });
  if (recording.isPinned) retention.pinRecording(id, true);
}
