/**
 * Whose turn it is to feed a lane that is full now and then.
 *
 * Each of the many sockets that feed a lane may hand over half a megabyte in one turn of the event loop, while the lane
 * takes a few such pieces: the rest would wait in memory. So a full lane holds all its feeders at once, before their
 * sockets have their turn, and when there is room lets as many go on as it can take, in the order in which they were held.
 */
import { KiB } from "../base/limits/units.ts";

/** What one socket hands over in a turn of the event loop, at most: the size of Bun's buffer for receiving. */
const turnBytes = 512 * KiB;

export interface Feeder {
  /** Whether it can be held while others come first. */
  readonly yields: boolean;
  /** The lane is full: nothing more should be brought until `room`, though a write would still be tried. */
  hold(): void;
  /** A write found the lane full, or it was held; now it may go on. */
  room(): void;
}

/** The lane: `wantRoom` has `room` called once a good part of it is free. */
export interface FedLane {
  freeBytes(): number;
  wantRoom(): void;
}

export class Turns<F extends Feeder> {
  readonly #lane: FedLane;
  /** Whose last write found the lane full. */
  #waiting = new Set<F>();
  /** Who can be held and is not. */
  readonly #going = new Set<F>();
  /** Who is held; the one held longest ago first. */
  readonly #held = new Set<F>();
  /** Who wrote since held ones were last let go, while there are any. */
  readonly #wrote = new Set<F>();
  #isLettingGo = false;

  constructor(lane: FedLane) {
    this.#lane = lane;
  }

  add(feeder: F): void {
    if (feeder.yields) this.#going.add(feeder);
  }

  delete(feeder: F): void {
    for (const set of [this.#waiting, this.#going, this.#held, this.#wrote]) set.delete(feeder);
  }

  clear(): void {
    for (const set of [this.#waiting, this.#going, this.#held, this.#wrote]) set.clear();
  }

  /** A write has gone into the lane. */
  wrote(feeder: F): void {
    if (this.#held.size > 0) this.#wrote.add(feeder);
  }

  /** A write found the lane full. */
  full(feeder: F): void {
    this.#waiting.add(feeder);
    this.#going.delete(feeder);
    for (const going of this.#going) {
      this.#held.add(going);
      going.hold();
    }
    this.#going.clear();
    this.#wrote.clear();
  }

  /** The lane has room. Whoever finds it full again comes to the end of the next round. */
  room(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const feeder of waiting) {
      if (feeder.yields) this.#going.add(feeder);
      feeder.room();
    }
    this.#letGo();
  }

  /** Lets as many go on as the lane has room for what they may bring in a turn; the others after that. */
  #letGo(): void {
    if (this.#held.size === 0 || this.#isLettingGo) return;
    // Whoever has written since the last look goes on writing.
    let going = this.#wrote.size;
    this.#wrote.clear();
    if (this.#lane.freeBytes() < turnBytes) return this.#lane.wantRoom();
    for (const feeder of this.#held) {
      going += 1;
      if (this.#lane.freeBytes() < going * turnBytes) break;
      this.#held.delete(feeder);
      this.#going.add(feeder);
      feeder.room();
    }
    this.#isLettingGo = true;
    setImmediate(() => {
      this.#isLettingGo = false;
      this.#letGo();
    });
  }
}
