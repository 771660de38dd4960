/**
 * The file of an upload while it grows. A writer thread owns it: it appends, hashes what it appended and, at the end,
 * seals it. Syncing and renaming come after, in commit.ts.
 *
 * Bytes are hashed only after they are in the file, so that a failed write leaves file and digest in step up to the
 * failure, and the file's size is the one truth about how far an upload has come.
 */
import * as fs from "node:fs";
import { failpoint } from "../../base/failpoint.ts";
import { MiB } from "../../base/limits/units.ts";
import { sniffAudioFormat } from "../../codec/sniff.ts";

/** As much of the beginning as it takes to recognise the audio format. */
const headBytes = 64;
const rehashBlockBytes = 1 * MiB;

export interface SealedFile {
  size: number;
  digest: Uint8Array;
  format: string | undefined;
}

export class IncomingFile {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  readonly #head = new Uint8Array(headBytes);
  #size: number;
  #hashed = 0;
  #closed = false;

  private constructor(path: string, descriptor: number, size: number) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#size = size;
  }

  /** A new file; fails if one of this name is there. */
  static create(path: string): IncomingFile {
    failpoint("upload.open");
    return new IncomingFile(path, fs.openSync(path, "wx+"), 0);
  }

  /** A file that an earlier upload left. Call `rehash` until it is done before anything is appended. */
  static reopen(path: string): IncomingFile {
    failpoint("upload.open");
    const descriptor = fs.openSync(path, "r+");
    return new IncomingFile(path, descriptor, fs.fstatSync(descriptor).size);
  }

  /** Bytes in the file. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends `bytes[offset .. offset + length]`. Throws the system's error when the disk is full or fails; what was
   * written until then stays.
   */
  append(bytes: Uint8Array, offset: number, length: number): void {
    failpoint("upload.write");
    let written = 0;
    while (written < length) {
      written += fs.writeSync(
        this.#descriptor,
        bytes,
        offset + written,
        length - written,
        this.#size + written,
      );
    }
    this.#size += length;
    this.#digest(bytes.subarray(offset, offset + length));
  }

  /** Hashes the next block of what was already there. Returns true once all of it is hashed. */
  rehash(block: Uint8Array): boolean {
    if (this.#hashed === this.#size) return true;
    const wanted = Math.min(block.length, this.#size - this.#hashed);
    const got = fs.readSync(this.#descriptor, block, 0, wanted, this.#hashed);
    if (got === 0) throw new Error(`${this.#path} became shorter while it was read`);
    this.#digest(block.subarray(0, got));
    return this.#hashed === this.#size;
  }

  /** A block for `rehash`: long enough to be quick, short enough that other streams need not wait. */
  static rehashBlock(): Uint8Array {
    return new Uint8Array(rehashBlockBytes);
  }

  /** Ends the audio and closes the file. */
  seal(): SealedFile {
    failpoint("upload.seal");
    this.close();
    const head = this.#head.subarray(0, Math.min(this.#size, headBytes));
    return { size: this.#size, digest: this.#hasher.digest(), format: sniffAudioFormat(head) };
  }

  /** Closes the file and keeps it. May be called again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    fs.closeSync(this.#descriptor);
  }

  #digest(bytes: Uint8Array): void {
    if (this.#hashed < headBytes) {
      this.#head.set(bytes.subarray(0, headBytes - this.#hashed), this.#hashed);
    }
    this.#hasher.update(bytes);
    this.#hashed += bytes.length;
  }
}
