/**
 * The file of an upload in progress. A writer thread owns it: it appends, hashes the appended bytes and finally seals
 * the file. commit.ts then syncs and renames it.
 *
 * Bytes are hashed after they are written: if a write fails, the digest covers exactly the bytes before it. The size of
 * the file is the only truth about the progress of an upload.
 */
import * as fs from "node:fs";
import { failpoint } from "../../base/failpoint.ts";
import { MiB } from "../../base/limits/units.ts";
import { id3TagBytes } from "../../codec/id3.ts";
import { sniffAudioFormat } from "../../codec/sniff.ts";
import { type BlockSums, SumsBuilder } from "./sums/sums.ts";

/** Enough of the beginning to detect the audio format. */
const headBytes = 64;
const rehashBlockBytes = 1 * MiB;

export interface SealedFile {
  size: number;
  digest: Uint8Array;
  format: string | undefined;
  sums: BlockSums;
}

export class IncomingFile {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  readonly #sums = new SumsBuilder();
  readonly #head = new Uint8Array(headBytes);
  #size: number;
  #hashed = 0;
  #closed = false;

  private constructor(path: string, descriptor: number, size: number) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#size = size;
  }

  /** Creates a file; throws if the name exists. */
  static create(path: string): IncomingFile {
    failpoint("upload.open");
    return new IncomingFile(path, fs.openSync(path, "wx+"), 0);
  }

  /** Opens the file of an interrupted upload. Call `rehash` until it returns true before the first append. */
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
   * Appends `bytes[offset .. offset + length]`. Throws the system's error if the disk is full or fails; the bytes
   * written before that stay in the file.
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

  /** Hashes the next block of a reopened file. Returns true once all of it is hashed. */
  rehash(block: Uint8Array): boolean {
    if (this.#hashed === this.#size) return true;
    const wanted = Math.min(block.length, this.#size - this.#hashed);
    const got = fs.readSync(this.#descriptor, block, 0, wanted, this.#hashed);
    if (got === 0) throw new Error(`${this.#path} was truncated while it was read`);
    this.#digest(block.subarray(0, got));
    return this.#hashed === this.#size;
  }

  /** The SHA-256 of the bytes hashed so far. */
  digest(): Uint8Array {
    return this.#hasher.copy().digest();
  }

  /** A block for `rehash`: long enough to be fast, short enough not to delay other streams of the thread. */
  static rehashBlock(): Uint8Array {
    return new Uint8Array(rehashBlockBytes);
  }

  /** Finishes the digest and the block checksums, and closes the file. */
  seal(): SealedFile {
    failpoint("upload.seal");
    const format = this.#format();
    this.close();
    return {
      size: this.#size,
      digest: this.#hasher.digest(),
      format,
      sums: this.#sums.finish(),
    };
  }

  /** By the first bytes, or by those behind a tag that any kind of audio may have in front. */
  #format(): string | undefined {
    const head = this.#head.subarray(0, Math.min(this.#size, headBytes));
    const tagBytes = id3TagBytes(head);
    if (tagBytes === 0 || tagBytes >= this.#size) return sniffAudioFormat(head);
    const behind = new Uint8Array(headBytes);
    const got = fs.readSync(this.#descriptor, behind, 0, headBytes, tagBytes);
    return sniffAudioFormat(behind.subarray(0, got)) ?? sniffAudioFormat(head);
  }

  /** Closes the file without sealing it. Idempotent. */
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
    this.#sums.add(bytes);
    this.#hashed += bytes.length;
  }
}
