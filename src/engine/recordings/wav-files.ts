/**
 * Opens the WAV files of finished recordings. A recording has no block checksums, so its file is hashed as a whole before
 * its first use, and again after it was written to.
 */
import { join } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import { maxVerifiedRecordings, recordingHashBytes } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import { Lru } from "../../base/lru.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import type { RecordedFile } from "../../base/recording-entry.ts";
import { openBelow, type OpenedFile } from "../../store/library/file.ts";

export class WavFiles {
  readonly #folder: string;
  readonly #log: RateLimitedLog;
  /** SHA-256 by the key of the file. A file that is being hashed has its promise here: others wait for it. */
  readonly #digests = new Lru<Promise<string>>(maxVerifiedRecordings);

  /** Memory of a hash that is over: a day has thousands of files, and each hash would leave garbage. */
  #spare: Uint8Array<ArrayBuffer> | undefined;

  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = new RateLimitedLog(log);
  }

  /**
   * `name` is without extension. Without `expected` the file is still recorded, and cannot be verified. Rejects with RECORDING_UNKNOWN, OBJECT_DAMAGED, or
   * the system's error.
   */
  async open(name: string, expected: RecordedFile | undefined): Promise<OpenedFile> {
    const file = await openBelow(this.#folder, join(this.#folder, `${name}.wav`));
    if (file === undefined) throw new WavecacheError("RECORDING_UNKNOWN", name);
    if (expected === undefined) return file;
    try {
      const isRight = file.size === expected.bytes && (await this.#digestOf(file)) === expected.sha256;
      if (isRight) return file;
      this.#log.warn("a recording differs from what was recorded", { name });
      throw new WavecacheError("OBJECT_DAMAGED", `${name}.wav`);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #digestOf(file: OpenedFile): Promise<string> {
    const known = this.#digests.get(file.key);
    if (known !== undefined) return await known;
    const digest = this.#hash(file);
    this.#digests.set(file.key, digest);
    try {
      return await digest;
    } catch (error) {
      this.#digests.delete(file.key);
      throw error;
    }
  }

  async #hash(file: OpenedFile): Promise<string> {
    const piece = this.#spare ?? new Uint8Array(recordingHashBytes);
    this.#spare = undefined;
    const hasher = new Bun.CryptoHasher("sha256");
    for (let at = 0; at < file.size; at += piece.length) {
      hasher.update(await file.read(at, Math.min(piece.length, file.size - at), piece));
    }
    this.#spare = piece;
    return hasher.digest("hex");
  }
}
