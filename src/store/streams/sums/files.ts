/** The files of block checksums (sums.ts), and a cache of their contents. None of them is needed to serve an object. */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { systemCode } from "../../../base/errors.ts";
import { Lru } from "../../../base/lru.ts";
import {
  type CacheLayout,
  createFolder,
  isMissing,
  openRegularFile,
  removeFile,
  readNames,
} from "../../layout.ts";
import { BlockSums } from "./sums.ts";

/**
 * Stores the checksums of an object. Returns false if the disk refuses: the first read of the object computes them again,
 * so that is no failure of the upload.
 */
export function writeSums(layout: CacheLayout, sha256: string, sums: BlockSums): boolean {
  const path = layout.sumsPath(sha256);
  // Under a name of its own first: another thread may read or write the file of the same object.
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    createFolder(dirname(path), layout.root);
    fs.writeFileSync(draft, sums.encode(), { flag: "wx" });
    fs.renameSync(draft, path);
    return true;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    removeDraft(draft);
    return false;
  }
}

/** A disk that refuses the write may refuse the removal too; then the scrub removes the draft. */
function removeDraft(path: string): void {
  try {
    removeFile(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** Undefined if the file is missing, broken, longer than `maxBytes`, or cannot be read. */
export function readSums(layout: CacheLayout, sha256: string, maxBytes = Infinity): BlockSums | undefined {
  try {
    const file = openRegularFile(layout.sumsPath(sha256));
    if (file === undefined) return undefined;
    try {
      if (file.stat.size > maxBytes) return undefined;
      return BlockSums.decode(new Uint8Array(fs.readFileSync(file.descriptor)));
    } finally {
      fs.closeSync(file.descriptor);
    }
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** The checksums of objects that were read lately, by SHA-256. They never go stale: the content decides the name. */
export class SumsCache {
  readonly #layout: CacheLayout;
  readonly #maxBytes: number;
  readonly #entries = new Lru<BlockSums>(Infinity, (_sha256, sums) => (this.#bytes -= sums.bytes));
  #bytes = 0;

  constructor(layout: CacheLayout, maxBytes: number) {
    this.#layout = layout;
    this.#maxBytes = maxBytes;
  }

  /** Only from memory. */
  find(sha256: string): BlockSums | undefined {
    return this.#entries.get(sha256);
  }

  /** From memory, or else from the disk unless their file is longer than `maxBytes`. */
  load(sha256: string, maxBytes = Infinity): BlockSums | undefined {
    const known = this.find(sha256);
    if (known !== undefined) return known;
    const sums = readSums(this.#layout, sha256, maxBytes);
    if (sums !== undefined) this.#add(sha256, sums);
    return sums;
  }

  /** Adds new checksums and stores them. */
  store(sha256: string, sums: BlockSums): void {
    writeSums(this.#layout, sha256, sums);
    this.#add(sha256, sums);
  }

  #add(sha256: string, sums: BlockSums): void {
    this.#bytes += sums.bytes - (this.#entries.delete(sha256)?.bytes ?? 0);
    this.#entries.set(sha256, sums);
    while (this.#bytes > this.#maxBytes && this.#entries.size > 1) this.#entries.evictOldest();
  }
}

/** A writer stores the checksums of an object before the object gets its name; this is longer than that takes. */
const minOrphanMs = 3_600_000;

/**
 * Removes the checksum files of one folder (0 to 255) whose object is gone, unless `isKept`, and drafts that a crash left.
 * Returns how many.
 */
export async function sweepSums(
  layout: CacheLayout,
  folder: number,
  isKept: (sha256: string) => boolean = () => false,
): Promise<number> {
  const prefix = folder.toString(16).padStart(2, "0");
  const path = join(layout.sums, prefix);
  let removed = 0;
  for (const name of await readNames(path)) {
    if (isKept(name)) continue;
    const file = join(path, name);
    const object = await statOf(layout.objectPath(name));
    const stat = object === undefined || !name.startsWith(prefix) ? await statOf(file) : undefined;
    if (stat === undefined || Date.now() - stat.mtimeMs < minOrphanMs) continue;
    await fs.promises.rm(file, { force: true });
    removed += 1;
  }
  return removed;
}

async function statOf(path: string): Promise<fs.Stats | undefined> {
  try {
    return await fs.promises.stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
