/**
 * Live levels of the recordings of a writer thread, in memory that it shares with the main thread: a look at a thousand of
 * them sends no message. Each recording has a cell, which only its writer writes.
 *
 *     f64 blocks       // how many there were; the writer changes it last
 *     f64 peak, meanSquare, clipped
 *
 * A reader may see values of two blocks that follow each other, which no meter shows.
 */
import { maxLevelCells } from "../base/limits/peaks.ts";
import type { Level } from "../codec/peaks/level.ts";

const cellWords = 4;

export class LevelTable {
  readonly memory: SharedArrayBuffer;
  readonly #words: Float64Array;

  /** Attaches to the memory of another instance, or allocates it. */
  constructor(memory = new SharedArrayBuffer(maxLevelCells * cellWords * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#words = new Float64Array(memory);
  }

  /** Adds a block. Does nothing without a cell. */
  write(cell: number | null, level: Level): void {
    if (cell === null) return;
    const at = cell * cellWords;
    this.#words[at + 1] = level.peak;
    this.#words[at + 2] = level.meanSquare;
    this.#words[at + 3] = level.clipped;
    this.#words[at]! += 1;
  }

  /** How many blocks there were; it differs from the last time if there is a new one. */
  blocks(cell: number): number {
    return this.#words[cell * cellWords]!;
  }

  /** The level of the last block. */
  read(cell: number): Level {
    const at = cell * cellWords;
    return {
      peak: this.#words[at + 1]!,
      meanSquare: this.#words[at + 2]!,
      clipped: this.#words[at + 3]!,
    };
  }
}

/** Hands out the cells of a table. */
export class LevelCells {
  readonly #free: number[] = [];
  #next = 0;

  /** Null if all are in use. */
  take(): number | null {
    const cell = this.#free.pop();
    if (cell !== undefined) return cell;
    return this.#next < maxLevelCells ? this.#next++ : null;
  }

  release(cell: number | null): void {
    if (cell !== null) this.#free.push(cell);
  }
}
