import * as fs from "node:fs";
import { WavecacheError } from "../../../src/base/errors.ts";

/** The file of a sound. The main thread has opened it, and closes it. */
export class SoundSourceFile {
  readonly #descriptor: number;
  /** In bytes, when it was opened. */
  readonly size: number;
  readonly #state: string;

  constructor(descriptor: number, size: number) {
    this.#descriptor = descriptor;
    this.size = size;
    this.#state = stateOf(descriptor);
  }

  /** False if the size or the modification time has changed since the constructor ran. */
  get isUnchanged(): boolean {
    return stateOf(this.#descriptor) === this.#state;
  }

  /** Reads up to `length` bytes at `offset`, fewer at the end. Throws SONG_CHANGED if the file has become shorter. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    for (let filled = 0; filled < bytes.length;) {
      const count = fs.readSync(this.#descriptor, bytes, filled, bytes.length - filled, offset + filled);
      if (count === 0) throw new WavecacheError("SONG_CHANGED");
      filled += count;
    }
    return bytes;
  }
}

function stateOf(descriptor: number): string {
  const { dev, ino, size, mtimeNs } = fs.fstatSync(descriptor, { bigint: true });
  return `${dev}:${ino}:${size}:${mtimeNs}`;
}
