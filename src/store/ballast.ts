/**
 * Space that is kept for removals: on a full disk even a removal needs some, for the catalog's journal. The space is
 * released before such a removal and taken again once there is room.
 */
import * as fs from "node:fs";
import { toWavecacheError } from "../base/errors.ts";
import { ballastBytes } from "../base/limits/streams.ts";
import { KiB } from "../base/limits/units.ts";
import { sizeOfFile } from "./layout.ts";

const blockBytes = 64 * KiB;

export class Ballast {
  readonly #path: string;
  readonly #bytes: number;

  constructor(path: string, bytes: number = ballastBytes) {
    this.#path = path;
    this.#bytes = bytes;
  }

  get isWhole(): boolean {
    return this.#size >= this.#bytes;
  }

  /**
   * Takes as much space as there is room for. Returns whether the ballast is whole. The bytes are random: a file system
   * that compresses would not allocate others.
   */
  refill(): boolean {
    if (this.isWhole) return true;
    const descriptor = fs.openSync(this.#path, "a");
    try {
      for (let size = this.#size; size < this.#bytes; size = this.#size) {
        const block = crypto.getRandomValues(new Uint8Array(Math.min(blockBytes, this.#bytes - size)));
        fs.writeSync(descriptor, block);
      }
      return true;
    } catch (error) {
      if (toWavecacheError(error).code !== "DISK_FULL") throw error;
      return false;
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** Frees the space. Returns false if there is none to free. */
  release(): boolean {
    if (this.#size === 0) return false;
    fs.truncateSync(this.#path, 0);
    return true;
  }

  get #size(): number {
    return sizeOfFile(this.#path) ?? 0;
  }
}
