/**
 * An object that a reader thread reads. Every block is compared with its checksum each time it is read: what was right
 * once may have been damaged since. A read whose blocks are not right fails with OBJECT_DAMAGED; others go on.
 *
 * An object without a checksum file is hashed as a whole before its first read. A long one would keep the thread from its
 * other readers for seconds, so it is hashed in the background, and served unverified until that is done.
 */
import * as fs from "node:fs";
import { basename } from "node:path";
import { systemCode, toWavecacheError, WavecacheError } from "../../../src/base/errors.ts";
import { failpoint } from "../../../src/base/failpoint.ts";
import { maxBytesHashedAtOnce, verificationPieceBytes } from "../../../src/base/limits/streams.ts";
import { identityOf, isMissing, openRegularFile } from "../../../src/store/layout.ts";
import { blockBytes, type BlockSums } from "../../../src/store/streams/sums/sums.ts";
import type { SumsCache } from "../../../src/store/streams/sums/files.ts";
import { Verification } from "../../../src/store/streams/sums/verification.ts";
import { type ReadableFile, readFully } from "./readable-file.ts";

/** A block that a read wants a part of. A read is synchronous, so all files share it. */
const partial = new Uint8Array(blockBytes);
/** What a verification hashes at a time, and the scrub reads; few threads ever need it. */
let piece: Uint8Array | undefined;

export class ObjectFile implements ReadableFile {
  readonly #path: string;
  readonly #sha256: string;
  readonly #cache: SumsCache;
  #opened: Opened;
  /** Runs while the object has no checksums. */
  #verification: Verification | undefined;
  /** The object as a whole is not what its name says. */
  #damage: WavecacheError | undefined;

  /** Throws OBJECT_MISSING, OBJECT_DAMAGED, or the system's error. */
  constructor(path: string, cache: SumsCache) {
    this.#path = path;
    this.#sha256 = basename(path);
    this.#cache = cache;
    this.#opened = openObject(path);
  }

  copy(offset: number, length: number, bytes: Uint8Array, at: number): void {
    try {
      this.#copy(offset, length, bytes, at);
    } catch (error) {
      if (!isDamage(error) || !this.#reopenIfChanged()) throw error;
      this.#copy(offset, length, bytes, at);
    }
  }

  /**
   * Verifies the range. All ranges of an object have to be checked in order, from its beginning: without checksums they
   * are hashed one after the other, and the last one tells; nothing does if the file is replaced meanwhile. `size` is what
   * the catalog says.
   */
  check(offset: number, length: number, size: number): void {
    try {
      this.#check(offset, length, size);
    } catch (error) {
      if (!isDamage(error) || !this.#reopenIfChanged()) throw error;
      this.#check(offset, length, size);
    }
  }

  /**
   * Verifies the range, which starts with a whole block and may end behind the object. Returns the identity of the file,
   * or "" while a long object without checksums is being hashed.
   */
  verify(offset: number, length: number): string {
    try {
      return this.#verifyRange(offset, length);
    } catch (error) {
      if (!isDamage(error) || !this.#reopenIfChanged()) throw error;
      return this.#verifyRange(offset, length);
    }
  }

  /** A long object is being hashed. */
  get hasWork(): boolean {
    return this.#verification !== undefined;
  }

  work(): void {
    if (this.#verification === undefined) return;
    try {
      this.#verifyPiece(this.#verification);
    } catch (error) {
      this.#endVerification(toWavecacheError(damageFrom(error, this.#path)));
    }
  }

  close(): void {
    fs.closeSync(this.#opened.descriptor);
  }

  #copy(offset: number, length: number, bytes: Uint8Array, at: number): void {
    const sums = this.#sums();
    const end = offset + length;
    if (sums === undefined) return this.#read(bytes, at, length, offset);
    if (end > sums.size) throw this.#damaged(`${sums.size} bytes instead of ${end} or more`);
    const firstWhole = Math.min(end, Math.ceil(offset / blockBytes) * blockBytes);
    const lastWhole = end === sums.size ? end : Math.max(firstWhole, end - (end % blockBytes));
    this.#copyPart(sums, offset, firstWhole, bytes, at);
    this.#copyWhole(sums, firstWhole, lastWhole, bytes, at + firstWhole - offset);
    this.#copyPart(sums, lastWhole, end, bytes, at + lastWhole - offset);
  }

  #check(offset: number, length: number, size: number): void {
    if (this.#opened.size !== size) throw this.#damaged(`${this.#opened.size} bytes instead of ${size}`);
    if (offset === 0) this.#endVerification(undefined);
    const sums = this.#verification === undefined ? this.#cache.load(this.#sha256) : undefined;
    if (sums !== undefined) return this.#checkBlocks(sums, offset, Math.min(length, size - offset));
    this.#verification ??= this.#newVerification();
    this.work();
    if (this.#damage !== undefined) throw this.#damage;
  }

  #verifyRange(offset: number, length: number): string {
    const sums = this.#sums();
    if (sums === undefined) return "";
    const end = Math.min(sums.size, offset + length);
    for (let at = offset; at < end; at += verificationPieceBytes)
      this.#checkBlocks(sums, at, Math.min(verificationPieceBytes, end - at));
    return this.#opened.identity;
  }

  #checkBlocks(sums: BlockSums, offset: number, length: number): void {
    piece ??= new Uint8Array(verificationPieceBytes);
    this.#copyWhole(sums, offset, offset + length, piece, 0);
  }

  /** Copies whole blocks to their destination and verifies them there. */
  #copyWhole(sums: BlockSums, from: number, to: number, bytes: Uint8Array, at: number): void {
    if (from === to) return;
    this.#read(bytes, at, to - from, from);
    this.#verify(sums, from / blockBytes, bytes.subarray(at, at + to - from));
  }

  /** Copies a range within one block. */
  #copyPart(sums: BlockSums, from: number, to: number, bytes: Uint8Array, at: number): void {
    if (from === to) return;
    const start = from - (from % blockBytes);
    const length = Math.min(blockBytes, sums.size - start);
    this.#read(partial, 0, length, start);
    const block = partial.subarray(0, length);
    this.#verify(sums, start / blockBytes, block);
    bytes.set(block.subarray(from - start, to - start), at);
  }

  #verify(sums: BlockSums, first: number, bytes: Uint8Array): void {
    const block = sums.firstDamaged(first, bytes);
    if (block !== undefined) throw this.#damaged(`wrong checksum of the block at ${block * blockBytes}`);
  }

  #read(bytes: Uint8Array, at: number, length: number, position: number): void {
    try {
      failpoint("object.read");
      const got = readFully(this.#opened.descriptor, bytes, at, length, position);
      if (got < length) throw this.#damaged(`it ends at ${position + got}`);
    } catch (error) {
      throw damageFrom(error, this.#path);
    }
  }

  /** Undefined while a long object without checksums is hashed in the background. */
  #sums(): BlockSums | undefined {
    if (this.#damage !== undefined) throw this.#damage;
    if (this.#verification !== undefined) return undefined;
    return this.#cache.load(this.#sha256) ?? this.#startVerification();
  }

  #startVerification(): BlockSums | undefined {
    this.#verification = this.#newVerification();
    if (this.#opened.size > maxBytesHashedAtOnce) return undefined;
    while (this.hasWork) this.work();
    if (this.#damage !== undefined) throw this.#damage;
    return this.#cache.load(this.#sha256);
  }

  #newVerification(): Verification {
    return new Verification(this.#opened.descriptor, this.#opened.size, this.#sha256);
  }

  #verifyPiece(verification: Verification): void {
    piece ??= new Uint8Array(verificationPieceBytes);
    const sums = verification.step(piece);
    if (sums === undefined) return;
    this.#cache.store(this.#sha256, sums);
    this.#endVerification(undefined);
  }

  #endVerification(damage: WavecacheError | undefined): void {
    this.#verification = undefined;
    this.#damage = damage;
  }

  /** Opens the file again if another program has replaced or changed it since. Returns false if none has. */
  #reopenIfChanged(): boolean {
    const opened = openObject(this.#path);
    if (opened.identity === this.#opened.identity) {
      fs.closeSync(opened.descriptor);
      return false;
    }
    fs.closeSync(this.#opened.descriptor);
    this.#opened = opened;
    this.#endVerification(undefined);
    return true;
  }

  #damaged(what: string): WavecacheError {
    return new WavecacheError("OBJECT_DAMAGED", `${this.#path}: ${what}`);
  }
}

interface Opened {
  descriptor: number;
  size: number;
  identity: string;
}

function openObject(path: string): Opened {
  try {
    const file = openRegularFile(path);
    if (file === undefined) throw new WavecacheError("OBJECT_DAMAGED", `${path}: it is no regular file`);
    const { descriptor, stat } = file;
    return { descriptor, size: Number(stat.size), identity: identityOf(stat) };
  } catch (error) {
    if (isMissing(error)) throw new WavecacheError("OBJECT_MISSING", path);
    throw damageFrom(error, path);
  }
}

/** What the system says of a path or a sector that cannot be read. */
const damageCodes: ReadonlySet<string | undefined> = new Set(["EIO", "EISDIR", "ELOOP", "ENXIO", "EUCLEAN"]);

/** OBJECT_DAMAGED for what a bad sector gives; any other error as it is. */
function damageFrom(error: unknown, path: string): unknown {
  if (!damageCodes.has(systemCode(error))) return error;
  return new WavecacheError("OBJECT_DAMAGED", `${path}: ${toWavecacheError(error).detail}`);
}

function isDamage(error: unknown): boolean {
  return error instanceof WavecacheError && error.code === "OBJECT_DAMAGED";
}
