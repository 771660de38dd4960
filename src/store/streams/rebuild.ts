/**
 * Builds the catalog of streams anew, from the journal and the objects. Objects in lost+found/ come back too. A stream
 * that the journal knows gets its id, metadata and times back. An object that no stream accounts for becomes a stream
 * with its SHA-256 as id. What the journal knows to be in the archive needs no object here. Rows that the catalog still has stay as they are; a damaged catalog is set aside first.
 *
 * Unfinished uploads, recordings and devices are not part of this: the next start sets the files of the former aside,
 * repairs the second, and devices come back when they connect.
 */
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import { sniffAudioFormat, sniffBytes } from "../../codec/sniff.ts";
import { evictedItem, replaceJournal } from "../check/journal-pass.ts";
import { listSetAside, setAside } from "../check/lost-found.ts";
import { Journal } from "../journal/journal.ts";
import { JournalIndex } from "../journal/journal-index.ts";
import { type CacheLayout, sizeOfFile } from "../layout.ts";
import type { Catalog, FinishedStream } from "./catalog.ts";
import { noMetadata } from "./metadata.ts";
import { isObjectName, syncObjectFolders } from "./objects.ts";
import { SqliteCatalog } from "./sqlite/catalog.ts";

/** Objects of the archive that are entered in one transaction. */
const archivedPage = 500;

export interface RebuildOptions {
  /** Reads every object whose row is missing, and enters only those whose SHA-256 is right. */
  deep: boolean;
  /** Called after each folder of objects. */
  onProgress: (report: RebuildReport) => void;
}

export interface RebuildReport {
  /** Where the damaged catalog is now. */
  setAside: string | undefined;
  /** Objects that were looked at. */
  objects: number;
  /** Objects that came back from lost+found/. */
  broughtBack: number;
  /** Streams that were entered with their ids, and with the SHA-256 of their audio as id. */
  known: number;
  unknown: number;
  /** Objects whose content is not what their name says; they were not entered. */
  damaged: string[];
}

/** Nobody else may use the cache folder meanwhile. If it is interrupted, another run continues. */
export async function rebuildCatalog(layout: CacheLayout, options: RebuildOptions): Promise<RebuildReport> {
  const counts = { objects: 0, broughtBack: 0, known: 0, unknown: 0 };
  const report: RebuildReport = { setAside: undefined, ...counts, damaged: [] };
  const rebuild = new Rebuild(layout, options, report);
  await rebuild.run();
  return report;
}

class Rebuild {
  readonly #layout: CacheLayout;
  readonly #options: RebuildOptions;
  readonly #report: RebuildReport;

  constructor(layout: CacheLayout, options: RebuildOptions, report: RebuildReport) {
    this.#layout = layout;
    this.#options = options;
    this.#report = report;
  }

  async run(): Promise<void> {
    this.#layout.create();
    const catalog = this.#openCatalog();
    const index = await JournalIndex.load(this.#layout.journal, async () => {});
    const journal = new Journal(this.#layout.journal);
    try {
      this.#bringBack();
      for (const folder of fs.readdirSync(this.#layout.objects))
        await this.#enterFolder(catalog, index, folder);
      this.#enterArchived(catalog, index);
      await replaceJournal({ catalog, journal });
    } finally {
      index.close();
      await journal.close();
      catalog.close();
    }
  }

  #openCatalog(): Catalog {
    try {
      return new SqliteCatalog(this.#layout.catalog);
    } catch (error) {
      if (!(error instanceof WavecacheError) || error.code !== "CATALOG_LOST") throw error;
      this.#report.setAside = this.#setCatalogAside();
      return new SqliteCatalog(this.#layout.catalog);
    }
  }

  #setCatalogAside(): string {
    const { catalog } = this.#layout;
    for (const path of [`${catalog}-wal`, `${catalog}-shm`]) {
      if (fs.existsSync(path)) setAside(this.#layout, path, basename(path), "catalog");
    }
    return setAside(this.#layout, catalog, basename(catalog), "catalog");
  }

  /** Moves objects from lost+found/ to where they belong, unless they are there already. */
  #bringBack(): void {
    for (const path of listSetAside(this.#layout, "objects")) {
      const sha256 = basename(path);
      if (!isObjectName(sha256) || fs.existsSync(this.#layout.objectPath(sha256))) continue;
      fs.mkdirSync(this.#layout.objectFolder(sha256), { recursive: true });
      fs.renameSync(path, this.#layout.objectPath(sha256));
      this.#report.broughtBack += 1;
    }
  }

  async #enterFolder(catalog: Catalog, index: JournalIndex, folder: string): Promise<void> {
    const path = join(this.#layout.objects, folder);
    if (!fs.statSync(path).isDirectory()) return;
    const missing: string[] = [];
    for (const name of fs.readdirSync(path)) {
      if (!isObjectName(name) || !name.startsWith(folder)) continue;
      this.#report.objects += 1;
      if (!catalog.hasObject(name, "") && (await this.#isSound(name))) missing.push(name);
    }
    if (missing.length > 0) syncObjectFolders([path, this.#layout.objects]);
    catalog.transaction(() => missing.forEach((sha256) => this.#enter(catalog, index, sha256)), true);
    this.#options.onProgress(this.#report);
  }

  /** Streams whose audio is in the archive alone. */
  #enterArchived(catalog: Catalog, index: JournalIndex): void {
    for (let after = ""; ;) {
      const page = index.archivedAfter(after, archivedPage);
      if (page.length === 0) return;
      catalog.transaction(() => page.forEach((each) => this.#enterItem(catalog, index, each)), true);
      after = page.at(-1)!.sha256;
    }
  }

  /** An object that is here too is stored again under its key: that the journal has it may be long ago. */
  #enterItem(catalog: Catalog, index: JournalIndex, { sha256, key }: { sha256: string; key: string }): void {
    const streams = index.streamsOf(sha256);
    if (streams.length === 0) return;
    const isLocal = sizeOfFile(this.#layout.objectPath(sha256)) !== undefined;
    catalog.archive.enter({ ...evictedItem(streams[0]!, key), isLocal, isArchived: !isLocal });
    if (!isLocal) this.#report.known += streams.filter((stream) => catalog.enter(stream)).length;
  }

  async #isSound(sha256: string): Promise<boolean> {
    if (!this.#options.deep || (await digestOf(this.#layout.objectPath(sha256))) === sha256) return true;
    this.#report.damaged.push(sha256);
    return false;
  }

  #enter(catalog: Catalog, index: JournalIndex, sha256: string): void {
    const path = this.#layout.objectPath(sha256);
    const size = sizeOfFile(path);
    const streams = index.streamsOf(sha256).filter((stream) => stream.size === size);
    const known = streams.filter((stream) => catalog.enter(stream)).length;
    this.#report.known += known;
    // Nothing is known of it, or its ids have other streams by now.
    if (known === 0 && catalog.enter(unknownStream(path, sha256))) this.#report.unknown += 1;
  }
}

function unknownStream(path: string, sha256: string): FinishedStream {
  const { size, mtimeMs } = fs.statSync(path);
  const at = Math.floor(mtimeMs);
  const format = sniffAudioFormat(headOf(path)) ?? null;
  const key = `rebuilt-${sha256.slice(0, 16)}`;
  return {
    streamId: sha256,
    key,
    sha256,
    size,
    format,
    metadata: noMetadata,
    audio: null,
    createdAt: at,
    finishedAt: at,
  };
}

function headOf(path: string): Uint8Array {
  const descriptor = fs.openSync(path, "r");
  try {
    const head = new Uint8Array(sniffBytes);
    return head.subarray(0, fs.readSync(descriptor, head, 0, sniffBytes, 0));
  } finally {
    fs.closeSync(descriptor);
  }
}

async function digestOf(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const block of Bun.file(path).stream()) hasher.update(block);
  return hasher.digest("hex");
}
