/**
 * One writer thread, seen from the main thread. Each upload and each recording on it holds a slot from its opening to its
 * last result. The slots share the lane; fairness decides who writes when it is full.
 */
import { maxExtentBytes, writeResultRingBytes, writeRingBytes } from "../base/limits/lanes.ts";
import { WavecacheError } from "../base/errors.ts";
import { FULL } from "../lane/ring.ts";
import { LevelCells, LevelTable } from "../lane/level-table.ts";
import { type Feeder, LaneFairness } from "../lane/fairness.ts";
import type { Body } from "../lane/messages/streams.ts";
import {
  type PoolThreadSettings,
  SupervisedThread,
  type ThreadFigures,
  type ThreadOwner,
} from "./supervised-thread.ts";

export interface SlotOwner extends Feeder {
  /** A result; the body is valid until this returns. Returns true for the last one: the slot is then free. */
  result(kind: number, body: Body): boolean;
  /** The thread died; the slot is gone. */
  lost(error: WavecacheError): void;
}

export class Writer implements ThreadOwner {
  /** Live levels of its recordings. */
  readonly levels = new LevelTable();
  readonly levelCells = new LevelCells();
  readonly #onLost: (reason: string) => void;
  readonly #thread: SupervisedThread;
  #owners = new Map<number, SlotOwner>();
  readonly #fairness = new LaneFairness<SlotOwner>(() => this.#thread.lane);
  #nextSlot = 1;

  constructor(settings: PoolThreadSettings, index: number) {
    this.#onLost = settings.onLost;
    this.#thread = new SupervisedThread(
      {
        entry: settings.entry,
        name: `writer ${index + 1}`,
        start: { cacheDir: settings.cacheDir, levels: this.levels.memory },
        taskRingBytes: writeRingBytes,
        resultRingBytes: writeResultRingBytes,
      },
      this,
    );
  }

  /** Slots in use; infinite while the thread is dead, so that no stream is assigned to it. */
  get load(): number {
    return this.#thread.isDead ? Infinity : this.#owners.size;
  }

  get slots(): number {
    return this.#owners.size;
  }

  figures(): ThreadFigures {
    return this.#thread.figures();
  }

  /** Opens a slot and returns its number. Throws WORKER_LOST while the thread is dead. */
  open(owner: SlotOwner): number {
    if (this.#thread.isDead) throw new WavecacheError("WORKER_LOST", "the writer is starting again");
    const slot = this.#nextSlot++;
    this.#owners.set(slot, owner);
    this.#fairness.add(owner);
    return slot;
  }

  send(kind: number, slot: number, body: Uint8Array): void {
    // A dead thread's slots are gone, and their owners know.
    if (this.#owners.has(slot)) this.#thread.lane.send(kind, slot, body);
  }

  /**
   * Copies the bytes from `from` on into the lane, split into tasks at any byte. Returns how many bytes fitted; if not
   * all did, `room` follows.
   */
  write(kind: number, slot: number, bytes: Uint8Array, from: number): number {
    if (!this.#owners.has(slot)) return bytes.length - from;
    let at = from;
    while (at < bytes.length) {
      const length = Math.min(bytes.length - at, maxExtentBytes);
      const target = this.#reserve(kind, slot, length);
      if (target === FULL) break;
      // A whole frame, the usual case, needs no view.
      const part = length === bytes.length ? bytes : bytes.subarray(at, at + length);
      this.#thread.lane.bytes.set(part, target);
      at += length;
    }
    return at - from;
  }

  /** Copies a message into the lane as one task. Returns false if it does not fit now; `room` follows. */
  writeWhole(kind: number, slot: number, message: Uint8Array): boolean {
    if (!this.#owners.has(slot)) return true;
    const at = this.#reserve(kind, slot, message.length);
    if (at === FULL) return false;
    this.#thread.lane.bytes.set(message, at);
    return true;
  }

  onResult(kind: number, slot: number, body: Body): void {
    const owner = this.#owners.get(slot);
    if (owner?.result(kind, body) !== true) return;
    this.#owners.delete(slot);
    this.#fairness.delete(owner);
  }

  onRoom(): void {
    this.#fairness.room();
  }

  onLost(reason: string): void {
    const orphans = this.#owners;
    this.#owners = new Map();
    this.#fairness.clear();
    this.#onLost(reason);
    for (const owner of orphans.values()) owner.lost(new WavecacheError("WORKER_LOST", reason));
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  /** Extends the newest task if it has this kind and slot, and else starts a new one. */
  #reserve(kind: number, slot: number, length: number): number {
    let at = this.#thread.lane.extend(kind, slot, length, maxExtentBytes);
    if (at === FULL) at = this.#thread.lane.reserve(kind, slot, length);
    const owner = this.#owners.get(slot)!;
    if (at === FULL) this.#fairness.full(owner);
    else this.#fairness.wrote(owner);
    return at;
  }
}
