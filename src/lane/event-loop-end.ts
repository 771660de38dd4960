/**
 * A thread's end of a lane that it serves from its event loop. Tasks are reserved in the lane by whoever owns this and
 * handed over a batch at a time: at the end of the event loop's turn, or earlier when many bytes wait. Results are taken
 * when the other end rings.
 */
import { publishBytes } from "../base/limits/lanes.ts";
import { type LaneMemory, MainLane } from "./lane.ts";
import { FULL, recordBytes } from "./ring.ts";
import type { Body } from "./messages/streams.ts";

export interface LaneOwner {
  /** A result; the body is valid until this returns. */
  onResult(kind: number, subject: number, body: Body): void;
  /** The task ring was full and has room again. */
  onRoom(): void;
}

interface Overflow {
  kind: number;
  subject: number;
  body: Uint8Array;
}

/** Whoever found the ring full hears of room once this part of it is free. */
const roomFraction = 2;

export class LanePort {
  readonly #lane: MainLane;
  readonly #owner: LaneOwner;
  /** Small tasks that found the ring full, in their order; while there are any, nothing passes them. */
  readonly #overflow: Overflow[] = [];
  /** Free bytes that are waited for; 0 while none are. */
  #wantedBytes = 0;
  #flushing = false;
  #over = false;

  constructor(memory: LaneMemory, owner: LaneOwner) {
    this.#lane = new MainLane(memory);
    this.#owner = owner;
    void this.#listen();
  }

  /** The task ring's memory: bodies are written here. */
  get bytes(): Uint8Array {
    return this.#lane.tasks.bytes;
  }

  /** Free bytes of the task ring. */
  freeBytes(): number {
    return this.#lane.tasks.refreshFreeBytes();
  }

  /** Asks for `onRoom` once a good part of the task ring is free. */
  wantRoom(): void {
    this.#waitForRoom(0);
  }

  /** Appends a task whose body the caller writes at the returned offset at once; FULL: `onRoom` will be called. */
  reserve(kind: number, subject: number, bodyBytes: number): number {
    if (this.#overflow.length > 0) return FULL;
    this.#publishIfDue();
    const at = this.#lane.tasks.reserve(kind, subject, bodyBytes);
    if (at === FULL) this.#waitForRoom(bodyBytes);
    else this.#flushSoon();
    return at;
  }

  /** Lengthens the newest task if it is of this kind and subject and not handed over yet, else FULL. */
  extend(kind: number, subject: number, moreBytes: number, maxBytes: number): number {
    if (this.#overflow.length > 0) return FULL;
    this.#publishIfDue();
    const at = this.#lane.tasks.extend(kind, subject, moreBytes, maxBytes);
    if (at !== FULL) this.#flushSoon();
    return at;
  }

  /** Appends a small task, which waits in order on this side if the ring is full. */
  send(kind: number, subject: number, body: Uint8Array): void {
    const at = this.reserve(kind, subject, body.length);
    if (at === FULL) this.#overflow.push({ kind, subject, body });
    else this.bytes.set(body, at);
  }

  /** Hands over what has been reserved, and tells the other end that nothing follows. */
  closeLane(): void {
    this.#flush();
    this.#lane.close();
  }

  /** Takes what has come, and nothing after this. */
  stop(): void {
    this.#takeResults();
    this.#over = true;
    this.#lane.ringMain();
  }

  /** Only before a reservation: after one its body is still to be written. */
  #publishIfDue(): void {
    if (this.#lane.tasks.unpublishedBytes >= publishBytes) this.#lane.publish();
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.#lane.publish();
    this.#takeResults();
  }

  #waitForRoom(bodyBytes: number): void {
    // What waits unpublished must go, or the worker would never make room for more.
    this.#lane.publish();
    const { capacityBytes } = this.#lane.tasks;
    // Half the ring: the worker has the other half to go on with while this side wakes up, which costs about as much
    // for a little room as for much. A body may have to leave as much again free at the ring's end.
    const wanted = Math.max(
      capacityBytes / roomFraction,
      Math.min(capacityBytes, 2 * recordBytes(bodyBytes)),
    );
    if (wanted <= this.#wantedBytes) return;
    this.#wantedBytes = wanted;
    // The listener must ask for room before it sleeps on.
    this.#lane.ringMain();
  }

  /** Asks for room on the way: see `RingProducer.wantRoom`. */
  #hasRoomAgain(): boolean {
    if (this.#wantedBytes === 0) return false;
    this.#lane.tasks.wantRoom(this.#wantedBytes);
    return this.#lane.tasks.refreshFreeBytes() >= this.#wantedBytes;
  }

  async #listen(): Promise<void> {
    while (!this.#over) {
      this.#takeResults();
      if (this.#hasRoomAgain()) this.#useRoom();
      await this.#lane.rung(() => this.#over || this.#lane.results.hasNext() || this.#hasRoomAgain());
    }
  }

  #useRoom(): void {
    this.#wantedBytes = 0;
    while (this.#overflow.length > 0) {
      const { kind, subject, body } = this.#overflow[0]!;
      const at = this.#lane.tasks.reserve(kind, subject, body.length);
      if (at === FULL) return this.#waitForRoom(body.length);
      this.bytes.set(body, at);
      this.#overflow.shift();
    }
    this.#owner.onRoom();
    this.#lane.publish();
  }

  #takeResults(): void {
    const { results } = this.#lane;
    while (!this.#over && results.next()) this.#owner.onResult(results.kind, results.subject, results);
    this.#lane.releaseResults();
  }
}
