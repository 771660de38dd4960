/**
 * One writer thread, seen from the main thread: its slots. Whatever goes through it, uploads or recordings, holds a
 * slot from its opening to its last result, and shares the lane, the waiting for room and the loss of the thread.
 */
import { maxExtentBytes, writeResultRingBytes, writeRingBytes } from "../base/limits/lanes.ts";
import { WavecacheError } from "../base/errors.ts";
import { FULL } from "../lane/ring.ts";
import { type Feeder, Turns } from "../lane/fairness.ts";
import type { Body } from "../lane/messages/streams.ts";
import type { PoolThreadSettings, ThreadFigures, ThreadOwner } from "./lane-thread.ts";
import { SupervisedThread } from "./supervised-thread.ts";

/** Whoever holds a slot of a writer. */
export interface SlotOwner extends Feeder {
  /** A result; the body is valid until this returns. True says that it was the last: the slot is free. */
  result(kind: number, body: Body): boolean;
  /** The thread died; the slot is gone. */
  lost(error: WavecacheError): void;
}

export class Writer implements ThreadOwner {
  readonly #onLost: (reason: string) => void;
  readonly #thread: SupervisedThread;
  #owners = new Map<number, SlotOwner>();
  readonly #turns = new Turns<SlotOwner>({
    freeBytes: () => this.#thread.current.freeBytes(),
    wantRoom: () => this.#thread.current.wantRoom(),
  });
  #nextSlot = 1;

  constructor(settings: PoolThreadSettings, index: number) {
    this.#onLost = settings.onLost;
    this.#thread = new SupervisedThread(
      {
        entry: settings.entry,
        name: `writer ${index + 1}`,
        start: { cacheDir: settings.cacheDir },
        taskRingBytes: writeRingBytes,
        resultRingBytes: writeResultRingBytes,
      },
      this,
    );
  }

  /** Slots in use; a writer that is dead would take none. */
  get load(): number {
    return this.#thread.isDead ? Infinity : this.#owners.size;
  }

  get slots(): number {
    return this.#owners.size;
  }

  figures(): ThreadFigures {
    return this.#thread.figures();
  }

  /** Takes a slot, whose number it returns. Throws WORKER_LOST while the thread is dead. */
  open(owner: SlotOwner): number {
    if (this.#thread.isDead) throw new WavecacheError("WORKER_LOST", "the writer is starting again");
    const slot = this.#nextSlot++;
    this.#owners.set(slot, owner);
    this.#turns.add(owner);
    return slot;
  }

  send(kind: number, slot: number, body: Uint8Array): void {
    // The slots of a thread that died are gone; their owners have been told.
    if (this.#owners.has(slot)) this.#thread.current.send(kind, slot, body);
  }

  /**
   * Copies bytes into the lane from byte `from` on, in tasks that end anywhere. Returns how many it took; less than
   * all: `room` follows.
   */
  write(kind: number, slot: number, bytes: Uint8Array, from: number): number {
    if (!this.#owners.has(slot)) return bytes.length - from;
    let taken = from;
    while (taken < bytes.length) {
      const length = Math.min(bytes.length - taken, maxExtentBytes);
      const at = this.#reserve(kind, slot, length);
      if (at === FULL) break;
      this.#thread.current.bytes.set(
        length === bytes.length ? bytes : bytes.subarray(taken, taken + length),
        at,
      );
      taken += length;
    }
    return taken - from;
  }

  /** Copies a message into the lane, whole in one task. False: it did not fit now, and `room` follows. */
  writeWhole(kind: number, slot: number, message: Uint8Array): boolean {
    if (!this.#owners.has(slot)) return true;
    const at = this.#reserve(kind, slot, message.length);
    if (at === FULL) return false;
    this.#thread.current.bytes.set(message, at);
    return true;
  }

  onResult(kind: number, slot: number, body: Body): void {
    const owner = this.#owners.get(slot);
    if (owner?.result(kind, body) !== true) return;
    this.#owners.delete(slot);
    this.#turns.delete(owner);
  }

  onRoom(): void {
    this.#turns.room();
  }

  onLost(reason: string): void {
    const orphans = this.#owners;
    this.#owners = new Map();
    this.#turns.clear();
    this.#onLost(reason);
    for (const owner of orphans.values()) owner.lost(new WavecacheError("WORKER_LOST", reason));
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  /** Room behind the newest task where that is of this kind and slot, else in a new one. */
  #reserve(kind: number, slot: number, length: number): number {
    let at = this.#thread.current.extend(kind, slot, length, maxExtentBytes);
    if (at === FULL) at = this.#thread.current.reserve(kind, slot, length);
    const owner = this.#owners.get(slot)!;
    if (at === FULL) this.#turns.full(owner);
    else this.#turns.wrote(owner);
    return at;
  }
}
