/**
 * Opens the WAV files of finished recordings. A recording has no block checksums, so its file is hashed as a whole before
 * its first use, and again after it was written to: by xxHash3, or by SHA-256 if an older version has recorded it.
 */
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { WavecacheError } from "../../base/errors.ts";
import { maxSpareHashes, maxVerifiedRecordings, recordingHashBytes } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import { Lru } from "../../base/lru.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import type { RecordedWav } from "../../base/recording-entry.ts";
import type { OpenedFile } from "../../store/library/file.ts";
import { HeldFolders } from "../../store/library/held-folders.ts";
import { WavChecksum } from "../../store/recordings/wav-digest.ts";

export class WavFiles {
  readonly #folder: string;
  readonly #log: RateLimitedLog;
  readonly #folders: HeldFolders;
  /** Digests of files by their keys. */
  readonly #digests = new Lru<string>(maxVerifiedRecordings);
  /** Files that are being hashed: others wait for them. */
  readonly #hashing = new Map<string, Promise<string>>();
  /** Memory of hashes that are over: a day has thousands of files, and each hash would leave garbage. */
  readonly #spare: HashMemory[] = [];

  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = new RateLimitedLog(log);
    this.#folders = new HeldFolders(folder);
  }

  /**
   * `name` is without extension. Without `expected` the file is still recorded, and cannot be verified. Rejects with RECORDING_UNKNOWN, OBJECT_DAMAGED, or
   * the system's error.
   */
  async open(name: string, expected: RecordedWav | undefined): Promise<OpenedFile> {
    const file = await this.#folders.open(join(this.#folder, `${name}.wav`));
    if (file === undefined) throw new WavecacheError("RECORDING_UNKNOWN", name);
    if (expected === undefined) return file;
    try {
      if (file.size === expected.bytes && (await this.#isRight(file, expected))) return file;
      this.#log.warn("a recording differs from what was recorded", { name });
      throw new WavecacheError("OBJECT_DAMAGED", `${name}.wav`);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  close(): void {
    this.#folders.close();
  }

  async #isRight(file: OpenedFile, { sha256, checksum }: RecordedWav): Promise<boolean> {
    const expected = checksum ?? sha256;
    if (this.#digests.get(file.key) === expected) return true;
    const digest = await this.#digestOf(file, checksum === undefined ? "sha256" : "xxHash3");
    if (digest !== expected) return false;
    // The catalog's text, not another copy of it: a day has thousands of files.
    this.#digests.set(file.key, expected);
    return true;
  }

  /** Single flight. */
  async #digestOf(file: OpenedFile, algorithm: Algorithm): Promise<string> {
    const key = `${algorithm} ${file.key}`;
    const known = this.#hashing.get(key);
    if (known !== undefined) return await known;
    const digest = this.#hash(file, algorithm);
    this.#hashing.set(key, digest);
    try {
      return await digest;
    } finally {
      this.#hashing.delete(key);
    }
  }

  async #hash(file: OpenedFile, algorithm: Algorithm): Promise<string> {
    const memory = this.#spare.pop() ?? {
      piece: new Uint8Array(recordingHashBytes),
      checksum: new WavChecksum(),
    };
    const { piece, checksum } = memory;
    const hasher = algorithm === "sha256" ? new Sha256() : checksum;
    for (let at = 0; at < file.size; at += piece.length) {
      hasher.add(await file.read(at, Math.min(piece.length, file.size - at), piece));
      // Reads of the page cache do not wait for anything: without a pause, a long file would stop all else.
      if (at > 0) await setImmediate();
    }
    const digest = hasher.finish();
    if (this.#spare.length < maxSpareHashes) this.#spare.push(memory);
    return digest;
  }
}

interface HashMemory {
  piece: Uint8Array<ArrayBuffer>;
  checksum: WavChecksum;
}

type Algorithm = "sha256" | "xxHash3";

class Sha256 {
  readonly #hasher = new Bun.CryptoHasher("sha256");

  add(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
  }

  finish(): string {
    return this.#hasher.digest("hex");
  }
}
