/**
 * The files that a reader thread reads. An immutable file is memory-mapped once and copied from. Other files are read with
 * pread: a growing one, because a map would not see its end move; one that is too long for a map; and all files on systems
 * without maps.
 */
import * as fs from "node:fs";
import { detach } from "../../../src/base/detach.ts";
import { GiB } from "../../../src/base/limits/units.ts";

export interface ReadableFile {
  /** Copies `length` bytes from `offset` of the file to `bytes[at]`. Throws if the file is shorter. */
  copy(offset: number, length: number, bytes: Uint8Array, at: number): void;
  close(): void;
}

/** Throws the system's error. */
export function openReadableFile(path: string, isImmutable: boolean): ReadableFile {
  return isImmutable && canMap(path) ? new MappedFile(path) : new PositionedFile(path);
}

/** `Bun.mmap` of 1.4.4 fails with "out of memory" for one byte more. */
const maxMapBytes = 4 * GiB;

function canMap(path: string): boolean {
  return process.platform !== "win32" && fs.statSync(path).size <= maxMapBytes;
}

class MappedFile implements ReadableFile {
  readonly #path: string;
  readonly #map: Uint8Array;

  constructor(path: string) {
    this.#path = path;
    this.#map = Bun.mmap(path, { shared: true });
  }

  copy(offset: number, length: number, bytes: Uint8Array, at: number): void {
    if (offset + length > this.#map.length) {
      throw new Error(`${this.#path} is shorter than its catalog entry`);
    }
    bytes.set(this.#map.subarray(offset, offset + length), at);
  }

  close(): void {
    detach(this.#map);
  }
}

class PositionedFile implements ReadableFile {
  readonly #path: string;
  readonly #descriptor: number;

  constructor(path: string) {
    this.#path = path;
    this.#descriptor = fs.openSync(path, "r");
  }

  copy(offset: number, length: number, bytes: Uint8Array, at: number): void {
    let done = 0;
    while (done < length) {
      const got = fs.readSync(this.#descriptor, bytes, at + done, length - done, offset + done);
      if (got === 0) throw new Error(`${this.#path} is shorter than it should be`);
      done += got;
    }
  }

  close(): void {
    fs.closeSync(this.#descriptor);
  }
}
