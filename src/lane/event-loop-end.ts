/**
 * The main thread's end of a lane, served from its event loop; it never blocks. Reserved tasks are published in batches:
 * at the end of a turn of the event loop, or earlier when many bytes wait. Results are taken when the worker rings.
 */
import { publishBytes } from "../base/limits/lanes.ts";
import { Doorbell } from "./doorbell.ts";
import type { LaneMemory } from "./lane.ts";
import type { Body } from "./messages/streams.ts";
import { FULL, recordBytes, RingConsumer, RingProducer } from "./ring.ts";

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

/**
 * A sender that found the ring full resumes once 1 / `roomFraction` of it is free. Waking up costs about the same for
 * little room as for much, and the worker has the other half to work on meanwhile.
 */
const roomFraction = 2;

export class EventLoopEnd {
  readonly #tasks: RingProducer;
  readonly #results: RingConsumer;
  readonly #mainDoorbell: Doorbell;
  readonly #workerDoorbell: Doorbell;
  readonly #closing: Int32Array;
  readonly #owner: LaneOwner;
  /** Small tasks that found the ring full, in order. While there are any, no task overtakes them. */
  readonly #overflow: Overflow[] = [];
  /** Free bytes that a sender waits for; 0 if none does. */
  #wantedBytes = 0;
  #isFlushScheduled = false;
  #isStopped = false;

  constructor(memory: LaneMemory, owner: LaneOwner) {
    this.#tasks = new RingProducer(memory.tasks);
    this.#results = new RingConsumer(memory.results);
    this.#mainDoorbell = new Doorbell(memory.mainDoorbell);
    this.#workerDoorbell = new Doorbell(memory.workerDoorbell);
    this.#closing = new Int32Array(memory.closing);
    this.#owner = owner;
    void this.#listen();
  }

  /** The task ring's memory: bodies are written here. */
  get bytes(): Uint8Array {
    return this.#tasks.bytes;
  }

  /** Free bytes of the task ring. */
  freeBytes(): number {
    return this.#tasks.refreshFreeBytes();
  }

  /** Asks for `onRoom` once half of the task ring is free. */
  wantRoom(): void {
    this.#waitForRoom(0);
  }

  /**
   * Appends a task and returns where in `bytes` its body goes. The caller writes the body at once: the next call may
   * publish it. Returns FULL if there is no room now; `onRoom` follows.
   */
  reserve(kind: number, subject: number, bodyBytes: number): number {
    if (this.#overflow.length > 0) return FULL;
    this.#publishIfDue();
    const at = this.#tasks.reserve(kind, subject, bodyBytes);
    if (at === FULL) this.#waitForRoom(bodyBytes);
    else this.#scheduleFlush();
    return at;
  }

  /** Lengthens the newest task if it has this kind and subject and is unpublished; otherwise returns FULL. */
  extend(kind: number, subject: number, moreBytes: number, maxBytes: number): number {
    if (this.#overflow.length > 0) return FULL;
    this.#publishIfDue();
    const at = this.#tasks.extend(kind, subject, moreBytes, maxBytes);
    if (at !== FULL) this.#scheduleFlush();
    return at;
  }

  /** Appends a small task. If the ring is full, the task waits on this side, in order. */
  send(kind: number, subject: number, body: Uint8Array): void {
    const at = this.reserve(kind, subject, body.length);
    if (at === FULL) this.#overflow.push({ kind, subject, body });
    else this.bytes.set(body, at);
  }

  /** Publishes what has been reserved, and tells the worker to end once it has done that. */
  close(): void {
    this.#flush();
    Atomics.store(this.#closing, 0, 1);
    this.#workerDoorbell.ring();
  }

  /** The worker has ended: takes its last results, and then stops listening. */
  stop(): void {
    this.#takeResults();
    this.#isStopped = true;
    this.#wakeListener();
  }

  /** To be called only before a reservation: after one, the body is still to be written. */
  #publishIfDue(): void {
    if (this.#tasks.unpublishedBytes >= publishBytes) this.#publish();
  }

  #publish(): void {
    if (this.#tasks.publish()) this.#workerDoorbell.ring();
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.#publish();
    this.#takeResults();
  }

  #waitForRoom(bodyBytes: number): void {
    // The worker makes no more room than what it has been given.
    this.#publish();
    const { capacityBytes } = this.#tasks;
    // A long body may have to skip the end of the ring, and then takes up to twice its length.
    const wanted = Math.max(
      capacityBytes / roomFraction,
      Math.min(capacityBytes, 2 * recordBytes(bodyBytes)),
    );
    if (wanted <= this.#wantedBytes) return;
    this.#wantedBytes = wanted;
    this.#wakeListener();
  }

  /** The listener asks for room before it sleeps, so it must wake up to ask for more. */
  #wakeListener(): void {
    this.#mainDoorbell.ring();
  }

  /** Also asks the worker to ring for room: see `RingProducer.wantRoom`. */
  #hasRoomAgain(): boolean {
    if (this.#wantedBytes === 0) return false;
    this.#tasks.wantRoom(this.#wantedBytes);
    return this.#tasks.refreshFreeBytes() >= this.#wantedBytes;
  }

  async #listen(): Promise<void> {
    while (!this.#isStopped) {
      this.#takeResults();
      if (this.#hasRoomAgain()) this.#useRoom();
      await this.#mainDoorbell.waitAsync(
        () => this.#isStopped || this.#results.hasNext() || this.#hasRoomAgain(),
      );
    }
  }

  #useRoom(): void {
    this.#wantedBytes = 0;
    while (this.#overflow.length > 0) {
      const { kind, subject, body } = this.#overflow[0]!;
      const at = this.#tasks.reserve(kind, subject, body.length);
      if (at === FULL) return this.#waitForRoom(body.length);
      this.bytes.set(body, at);
      this.#overflow.shift();
    }
    this.#owner.onRoom();
    this.#publish();
  }

  #takeResults(): void {
    const results = this.#results;
    while (!this.#isStopped && results.next()) this.#owner.onResult(results.kind, results.subject, results);
    if (results.release()) this.#workerDoorbell.ring();
  }
}
