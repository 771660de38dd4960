/** The worker's end of a lane. Its calls may block, so it must not run on the main thread. */
import { Doorbell } from "./doorbell.ts";
import type { LaneMemory } from "./lane.ts";
import { FULL, RingConsumer, RingProducer } from "./ring.ts";

/** The longest sleep of a worker. Every event rings; this bounds the damage if a ring were ever lost. */
const defaultSleepMs = 1000;

export class BlockingEnd {
  readonly tasks: RingConsumer;
  readonly results: RingProducer;
  readonly #mainDoorbell: Doorbell;
  readonly #workerDoorbell: Doorbell;
  readonly #closing: Int32Array;

  constructor(memory: LaneMemory) {
    this.tasks = new RingConsumer(memory.tasks);
    this.results = new RingProducer(memory.results);
    this.#mainDoorbell = new Doorbell(memory.mainDoorbell);
    this.#workerDoorbell = new Doorbell(memory.workerDoorbell);
    this.#closing = new Int32Array(memory.closing);
  }

  /** The main thread has asked this worker to end. */
  get closing(): boolean {
    return Atomics.load(this.#closing, 0) !== 0;
  }

  /**
   * Reserves a result in `results.bytes`, and blocks while the ring is full. This terminates: the main thread takes
   * results whenever it runs, and never waits for a worker.
   */
  reserveResult(kind: number, subject: number, bodyBytes: number): number {
    for (;;) {
      const at = this.results.reserve(kind, subject, bodyBytes);
      if (at !== FULL) return at;
      this.publishResults();
      const used = this.results.usedBytes;
      this.#workerDoorbell.wait(() => {
        this.results.wantRoom(1);
        return this.results.refreshUsedBytes() < used;
      }, defaultSleepMs);
    }
  }

  publishResults(): void {
    if (this.results.publish()) this.#mainDoorbell.ring();
  }

  /** Releases the room of the tasks taken so far. */
  releaseTasks(): void {
    if (this.tasks.release()) this.#mainDoorbell.ring();
  }

  /** Sleeps until there is a task or the lane closes, but no longer than `maxSleepMs`. */
  sleep(maxSleepMs = defaultSleepMs): void {
    this.#workerDoorbell.wait(() => this.tasks.hasNext() || this.closing, maxSleepMs);
  }
}
