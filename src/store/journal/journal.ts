/**
 * The journal beside the catalog: enough to enter every finished stream again, with its id and metadata, if the catalog
 * is lost or an old copy of it is restored. It is a log of JSON lines in numbered files:
 *
 *     journal-v1/<number>.jsonl
 *
 *     {"journal":1,"isWhole":false}    the first line of a file. A whole file begins with every stream of the catalog,
 *                                      and the files before it no longer count
 *     {"finish":{"streamId":...}}      entry.ts has the fields
 *     {"remove":{"streamId":...,"key":...}}
 *     {"archive":{"sha256":...,"key":...}}    the archive has the object under this key
 *
 * The last line about a stream id counts, and a removal counts only for the upload with its key. A finish line is
 * written before the commit, so a stream exists only if its object does too. A line that cannot be parsed was torn by a
 * crash; nobody got an acknowledgement that depended on it.
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { failpoint } from "../../base/failpoint.ts";
import { MiB } from "../../base/limits/units.ts";
import { removeFile, sizeOfFile, syncFolder, namesIn } from "../layout.ts";
import type { FinishedStream } from "../streams/catalog.ts";
import { type JournalEntry, lineOf } from "./entry.ts";

/** The part of the journal that a commit needs. */
export type CommitJournal = Pick<Journal, "append" | "sync" | "position">;

/** A place between two entries. */
export interface JournalPosition {
  /** Of the file. */
  number: number;
  bytes: number;
}

/** The journal is written anew when it has grown by this much, and to twice its size, since it was last whole. */
const rewriteBytes = 16 * MiB;

const syncData = promisify(fs.fdatasync);

export class Journal {
  readonly #folder: string;
  /** The file that entries go to. */
  #number: number;
  #descriptor: number | undefined;
  #bytes: number;
  /** Its last line is not complete. */
  #isTorn: boolean;
  /** Its name may not be on the disk. */
  #isNew = false;
  /** The entries of the last append: their changes may not be in the catalog yet. */
  #last: JournalEntry[] = [];
  #syncing: Promise<unknown> = Promise.resolve();
  #retired: Promise<void> = Promise.resolve();
  /** An append or a sync failed, so entries may be lost. */
  #isDamaged = false;

  /** Opens the journal in `folder`. Creates and writes nothing before the first append. */
  constructor(folder: string) {
    this.#folder = folder;
    const newest = listJournal(folder).at(-1);
    this.#number = newest?.number ?? 1;
    this.#bytes = newest?.size ?? 0;
    this.#isTorn = endsTorn(filePath(folder, this.#number));
  }

  /** The end of what was appended. */
  get position(): JournalPosition {
    return { number: this.#number, bytes: this.#bytes };
  }

  /** Appends entries. Call `sync` afterwards to make them durable. */
  append(entries: JournalEntry[]): void {
    if (entries.length === 0) return;
    this.#last = entries;
    try {
      failpoint("journal.append");
      const descriptor = (this.#descriptor ??= this.#open());
      const text = `${this.#isTorn ? "\n" : ""}${entries.map(lineOf).join("")}`;
      this.#isTorn = true;
      this.#bytes += writeAll(descriptor, text);
      this.#isTorn = false;
    } catch (error) {
      this.#isDamaged = true;
      throw error;
    }
  }

  /**
   * Makes everything durable that was appended. After a failure the system may have dropped the bytes, and a later sync
   * of the same file would succeed without them: later entries go to another file.
   */
  async sync(): Promise<void> {
    const descriptor = this.#descriptor;
    const retired = this.#retired;
    this.#retired = Promise.resolve();
    await retired;
    if (descriptor === undefined) return;
    try {
      failpoint("journal.sync");
      this.#syncing = syncData(descriptor);
      await this.#syncing;
      if (this.#isNew) syncFolder(this.#folder);
      this.#isNew = false;
    } catch (error) {
      this.#isDamaged = true;
      if (this.#descriptor === descriptor) {
        this.#continueIn(this.#number + 1);
        fs.closeSync(descriptor);
      }
      throw error;
    }
  }

  /** Waits for a sync in progress. */
  async close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    await Promise.allSettled([this.#syncing, this.#retired]);
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }

  /** Whether `rewrite` would save space, or the journal does not have every stream. */
  get isRewriteDue(): boolean {
    const files = countingFiles(this.#folder);
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    const whole = files[0]?.isWhole ? files[0] : undefined;
    return this.#isDamaged || whole === undefined || bytes > 2 * whole.size + rewriteBytes;
  }

  /**
   * Writes the journal anew, from pages of all finished streams. Entries that are appended meanwhile go to a file after
   * the new one, and so do the last ones before, which the catalog may not show yet. A crash leaves either the old files
   * or the new ones.
   */
  async rewrite(pages: Pages): Promise<void> {
    const whole = this.#number + 1;
    this.#retire(this.#descriptor);
    this.#continueIn(whole + 1);
    this.append(this.#last);
    await writeWhole(filePath(this.#folder, whole), pages);
    // Only now may the old files go: what was appended before may still be without its sync in the new one.
    await this.sync();
    syncFolder(this.#folder);
    this.#isDamaged = false;
    for (const { number, path } of listJournal(this.#folder)) if (number < whole) fs.unlinkSync(path);
    for (const name of namesIn(this.#folder))
      if (name.endsWith(".tmp")) fs.unlinkSync(join(this.#folder, name));
  }

  #open(): number {
    fs.mkdirSync(this.#folder, { recursive: true });
    const descriptor = fs.openSync(filePath(this.#folder, this.#number), "a");
    this.#isNew = true;
    this.#bytes = fs.fstatSync(descriptor).size;
    if (this.#bytes === 0) this.#bytes += writeAll(descriptor, headerOf(false));
    return descriptor;
  }

  /** Syncs and closes a file that gets no more entries. The next sync waits for that. */
  #retire(descriptor: number | undefined): void {
    if (descriptor === undefined) return;
    const syncing = this.#syncing;
    const retire = async () => {
      await Promise.allSettled([syncing]);
      try {
        await syncData(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
    };
    this.#retired = retire();
    this.#retired.catch(() => {
      this.#isDamaged = true;
    });
  }

  #continueIn(number: number): void {
    this.#descriptor = undefined;
    this.#number = number;
    this.#bytes = 0;
    this.#isTorn = false;
  }
}

type Pages = AsyncIterable<FinishedStream[]> | Iterable<FinishedStream[]>;

interface JournalFile {
  number: number;
  path: string;
  size: number;
}

/** The files of the journal that count, oldest first. */
export function countingFiles(folder: string): (JournalFile & { isWhole: boolean })[] {
  const files = listJournal(folder).map(({ number, path, size }) => {
    return { number, path, size, isWhole: isWholeFile(path) };
  });
  const whole = files.findLastIndex(({ isWhole }) => isWhole);
  return files.slice(Math.max(0, whole));
}

function headerOf(isWhole: boolean): string {
  return `${JSON.stringify({ journal: 1, isWhole })}\n`;
}

async function writeWhole(path: string, pages: Pages): Promise<void> {
  fs.mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.tmp`;
  try {
    await writePages(temporary, pages);
    fs.renameSync(temporary, path);
  } catch (error) {
    // The disk may be full.
    removeFile(temporary);
    throw error;
  }
}

async function writePages(path: string, pages: Pages): Promise<void> {
  const descriptor = fs.openSync(path, "w");
  try {
    writeAll(descriptor, headerOf(true));
    for await (const page of pages) writeAll(descriptor, page.map((finish) => lineOf({ finish })).join(""));
    await syncData(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Returns the bytes of the text. */
function writeAll(descriptor: number, text: string): number {
  const bytes = Buffer.from(text);
  let written = 0;
  while (written < bytes.length) written += fs.writeSync(descriptor, bytes, written);
  return written;
}

function filePath(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(6, "0")}.jsonl`);
}

function listJournal(folder: string): JournalFile[] {
  return namesIn(folder)
    .map((name) => ({ name, number: Number(/^(\d{6,})\.jsonl$/.exec(name)?.[1]) }))
    .filter(({ number }) => !Number.isNaN(number))
    .map(({ name, number }) => ({
      number,
      path: join(folder, name),
      size: fs.statSync(join(folder, name)).size,
    }))
    .toSorted((one, other) => one.number - other.number);
}

function isWholeFile(path: string): boolean {
  const header = headerOf(true);
  return readAt(path, 0, header.length) === header;
}

function endsTorn(path: string): boolean {
  const size = sizeOfFile(path) ?? 0;
  return size > 0 && readAt(path, size - 1, 1) !== "\n";
}

function readAt(path: string, from: number, length: number): string {
  const descriptor = fs.openSync(path, "r");
  try {
    const bytes = Buffer.alloc(length);
    return bytes.toString("latin1", 0, fs.readSync(descriptor, bytes, 0, length, from));
  } finally {
    fs.closeSync(descriptor);
  }
}
