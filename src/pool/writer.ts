/**
 * One writer thread, seen from the main thread: its slots. Whatever goes through it, uploads or recordings, holds a
 * slot from its opening to its last result, and shares the lane, the waiting for room and the loss of the thread.
 */
import { KiB, maxExtentBytes, writeResultRingBytes, writeRingBytes } from "../base/limits.ts";
import { WavecacheError } from "../base/errors.ts";
import { FULL } from "../lane/ring.ts";
import type { Body } from "../lane/tasks.ts";
import { type CrewSettings, LaneThread, type ThreadOwner } from "./lane-thread.ts";
import { Respawn } from "./respawn.ts";

/** What one socket hands over in a turn of the event loop, at most: the size of Bun's buffer for receiving. */
const turnBytes = 512 * KiB;

/** Whoever holds a slot of a writer. */
export interface SlotOwner {
  /** A result; the body is valid until this returns. True says that it was the last: the slot is free. */
  result(kind: number, body: Body): boolean;
  /** Whether it can be held while others that share the lane come first: see `hold`. */
  readonly yields: boolean;
  /** The lane is full: nothing more should be brought until `room`, though a write would still be tried. */
  hold(): void;
  /** A write took less than all, or it was held; now there is room. */
  room(): void;
  /** The thread died; the slot is gone. */
  lost(error: WavecacheError): void;
}

export class Writer implements ThreadOwner {
  readonly #respawn: Respawn;
  readonly #onLost: (reason: string) => void;
  #thread: LaneThread;
  #owners = new Map<number, SlotOwner>();
  /** Slots whose last write took less than all. */
  #waiting = new Set<number>();
  /** Slots that can be held and are not. */
  readonly #going = new Set<number>();
  /** Slots that are held; the one held longest ago first. */
  readonly #held = new Set<number>();
  /** Slots that wrote since held ones were last let go, while there are any. */
  readonly #wrote = new Set<number>();
  #isLettingGo = false;
  #nextSlot = 1;

  constructor(settings: CrewSettings, index: number) {
    const spawn = (replacement: boolean) =>
      new LaneThread(
        {
          entry: settings.entry,
          name: `writer ${index + 1}`,
          cacheDir: settings.cacheDir,
          taskRingBytes: writeRingBytes,
          resultRingBytes: writeResultRingBytes,
          replacement,
        },
        this,
      );
    this.#thread = spawn(false);
    this.#onLost = settings.onLost;
    this.#respawn = new Respawn(() => {
      this.#thread = spawn(true);
    });
  }

  /** Slots in use; a writer that is dead would take none. */
  get load(): number {
    return this.#respawn.pending ? Infinity : this.#owners.size;
  }

  /** Takes a slot, whose number it returns. Throws WORKER_LOST while the thread is dead. */
  open(owner: SlotOwner): number {
    if (this.#respawn.pending) throw new WavecacheError("WORKER_LOST", "the writer is starting again");
    const slot = this.#nextSlot++;
    this.#owners.set(slot, owner);
    if (owner.yields) this.#going.add(slot);
    return slot;
  }

  send(kind: number, slot: number, body: Uint8Array): void {
    // The slots of a thread that died are gone; their owners have been told.
    if (this.#owners.has(slot)) this.#thread.send(kind, slot, body);
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
      this.#thread.bytes.set(length === bytes.length ? bytes : bytes.subarray(taken, taken + length), at);
      taken += length;
    }
    return taken - from;
  }

  /** Copies a message into the lane, whole in one task. False: it did not fit now, and `room` follows. */
  writeWhole(kind: number, slot: number, message: Uint8Array): boolean {
    if (!this.#owners.has(slot)) return true;
    const at = this.#reserve(kind, slot, message.length);
    if (at === FULL) return false;
    this.#thread.bytes.set(message, at);
    return true;
  }

  onResult(kind: number, slot: number, body: Body): void {
    if (this.#owners.get(slot)?.result(kind, body) !== true) return;
    this.#owners.delete(slot);
    this.#going.delete(slot);
    this.#held.delete(slot);
  }

  /** First come, first served; whoever finds the ring full again comes to the end of the next round. */
  onRoom(): void {
    const slots = this.#waiting;
    this.#waiting = new Set();
    for (const slot of slots) {
      if (this.#owners.get(slot)?.yields === true) this.#going.add(slot);
      this.#owners.get(slot)?.room();
    }
    this.#letGo();
  }

  onLost(reason: string): void {
    const orphans = this.#owners;
    this.#owners = new Map();
    this.#waiting.clear();
    this.#going.clear();
    this.#held.clear();
    this.#onLost(reason);
    this.#respawn.schedule();
    for (const owner of orphans.values()) owner.lost(new WavecacheError("WORKER_LOST", reason));
  }

  close(): Promise<void> {
    return this.#respawn.pending ? this.#respawn.cancel() : this.#thread.close();
  }

  /** Room behind the newest task where that is of this kind and slot, else in a new one. */
  #reserve(kind: number, slot: number, length: number): number {
    let at = this.#thread.extend(kind, slot, length, maxExtentBytes);
    if (at === FULL) at = this.#thread.reserve(kind, slot, length);
    if (at === FULL) this.#full(slot);
    else if (this.#held.size > 0) this.#wrote.add(slot);
    return at;
  }

  /**
   * Holds everybody who can be held, before their sockets have their turn: each may have half a megabyte at hand, which
   * would wait in memory for a lane that takes a few such pieces.
   */
  #full(slot: number): void {
    this.#waiting.add(slot);
    this.#going.delete(slot);
    for (const going of this.#going) {
      this.#held.add(going);
      this.#owners.get(going)!.hold();
    }
    this.#going.clear();
    this.#wrote.clear();
  }

  /** Lets as many go on as the lane has room for what they may bring in a turn of the loop; the others after that. */
  #letGo(): void {
    if (this.#held.size === 0 || this.#isLettingGo) return;
    // Whoever has written since the last look goes on writing.
    let going = this.#wrote.size;
    this.#wrote.clear();
    if (this.#thread.freeBytes() < turnBytes) return this.#thread.wantRoom();
    for (const slot of this.#held) {
      going += 1;
      if (this.#thread.freeBytes() < going * turnBytes) break;
      this.#held.delete(slot);
      this.#going.add(slot);
      this.#owners.get(slot)!.room();
    }
    this.#isLettingGo = true;
    setImmediate(() => {
      this.#isLettingGo = false;
      this.#letGo();
    });
  }
}
