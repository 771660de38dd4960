/**
 * Decides which of many sockets may feed a lane that fills up now and then.
 *
 * One socket may deliver half a megabyte in one turn of the event loop, and the lane has room for a few such bursts: the
 * others would wait in memory. So a full lane holds all its feeders before their sockets are read. Once there is room,
 * it resumes as many as that room can take. Senders take turns, so that one with many sockets gets no more than another
 * one; the sockets of a sender resume in the order in which they were held.
 */
import { KiB } from "../base/limits/units.ts";

/** The most that one socket delivers in one turn of the event loop: the size of Bun's receive buffer. */
const maxBurstBytes = 512 * KiB;

export interface Feeder {
  /** False for a sender in real time, which cannot be paused. */
  readonly canBeHeld: boolean;
  /** Who sends: a principal. */
  readonly sender: string;
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
  /** When senders of held feeders had their last turn: a number that grows with each turn. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
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
    if (this.#isResumeScheduled) return;
    if (this.#held.size === 0) return this.#turns.clear();
    // A feeder that wrote since the last look will probably write again: room is left for it.
    let bursts = this.#wrote.size;
    this.#wrote.clear();
    const lane = this.#lane();
    if (lane.freeBytes() < maxBurstBytes) return lane.wantRoom();
    for (const feeder of this.#inTurn()) {
      bursts += 1;
      if (lane.freeBytes() < bursts * maxBurstBytes) break;
      this.#held.delete(feeder);
      this.#running.add(feeder);
      this.#turns.set(feeder.sender, ++this.#turn);
      feeder.room();
    }
    this.#isResumeScheduled = true;
    setImmediate(() => {
      this.#isResumeScheduled = false;
      this.#resumeHeld();
    });
  }
  /** The held feeders, one of each sender in turn: first the senders whose last turn is longest ago. */
  *#inTurn(): Iterable<F> {
    const bySender = Map.groupBy(this.#held, ({ sender }) => sender);
    const lastTurn = (sender: string) => this.#turns.get(sender) ?? 0;
    const senders = [...bySender].sort(([a], [b]) => lastTurn(a) - lastTurn(b));
    const longest = Math.max(...senders.map(([, feeders]) => feeders.length));
    for (let at = 0; at < longest; at += 1)
      for (const [, feeders] of senders) if (at < feeders.length) yield feeders[at]!;
  }
}
