/**
 * Decides which of many sockets may feed a lane that fills up now and then.
 *
 * One socket may deliver half a megabyte in one turn of the event loop, and the lane has room for a few such bursts: the
 * others would wait in memory. So a full lane holds all its feeders before their sockets are read. Once there is room,
 * it resumes as many as that room can take, in the order in which they were held.
 */
import { KiB } from "../base/limits/units.ts";

/** The most that one socket delivers in one turn of the event loop: the size of Bun's receive buffer. */
const maxBurstBytes = 512 * KiB;

export interface Feeder {
  /** False for a sender in real time, which cannot be paused. */
  readonly canBeHeld: boolean;
  /** The lane is full: bring nothing more until `room`. A write that comes anyway is still tried. */
  hold(): void;
  /** Called after a write found the lane full, or after `hold`: resume. */
  room(): void;
}

export interface FedLane {
  freeBytes(): number;
  /** Has `LaneFairness.room` called once half of the lane is free. */
  wantRoom(): void;
}

export class LaneFairness<F extends Feeder> {
  /** Returns the lane of now: a thread that is started again has a new one. */
  readonly #lane: () => FedLane;
  /** Feeders whose last write found the lane full. */
  #refused = new Set<F>();
  /** Feeders that can be held, and are not. */
  readonly #running = new Set<F>();
  /** In the order in which they were held. */
  readonly #held = new Set<F>();
  /** Feeders that wrote since the last resume; collected only while others are held. */
  readonly #wrote = new Set<F>();
  #isResumeScheduled = false;

  constructor(lane: () => FedLane) {
    this.#lane = lane;
  }

  add(feeder: F): void {
    if (feeder.canBeHeld) this.#running.add(feeder);
  }

  delete(feeder: F): void {
    for (const set of [this.#refused, this.#running, this.#held, this.#wrote]) set.delete(feeder);
  }

  clear(): void {
    for (const set of [this.#refused, this.#running, this.#held, this.#wrote]) set.clear();
  }

  /** A write has gone into the lane. */
  wrote(feeder: F): void {
    if (this.#held.size > 0) this.#wrote.add(feeder);
  }

  /** A write found the lane full. */
  full(feeder: F): void {
    this.#refused.add(feeder);
    this.#running.delete(feeder);
    for (const running of this.#running) {
      this.#held.add(running);
      running.hold();
    }
    this.#running.clear();
    this.#wrote.clear();
  }

  /** The lane has room. A feeder that finds it full again goes to the end of the next round. */
  room(): void {
    const refused = this.#refused;
    this.#refused = new Set();
    for (const feeder of refused) {
      if (feeder.canBeHeld) this.#running.add(feeder);
      feeder.room();
    }
    this.#resumeHeld();
  }

  /** Resumes as many feeders as the lane has room for a burst of each, and looks again after a turn of the event loop. */
  #resumeHeld(): void {
    if (this.#held.size === 0 || this.#isResumeScheduled) return;
    // A feeder that wrote since the last look will probably write again: room is left for it.
    let bursts = this.#wrote.size;
    this.#wrote.clear();
    const lane = this.#lane();
    if (lane.freeBytes() < maxBurstBytes) return lane.wantRoom();
    for (const feeder of this.#held) {
      bursts += 1;
      if (lane.freeBytes() < bursts * maxBurstBytes) break;
      this.#held.delete(feeder);
      this.#running.add(feeder);
      feeder.room();
    }
    this.#isResumeScheduled = true;
    setImmediate(() => {
      this.#isResumeScheduled = false;
      this.#resumeHeld();
    });
  }
}
