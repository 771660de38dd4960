/**
 * A lane: what the main thread and one worker share. Tasks go one way, results the other, and each side has a bell.
 *
 *     main   tasks: producer  ==================>  consumer  worker
 *            results: consumer  <================  producer
 *            main bell  <------- rings ----------
 *            ---------- rings ------->  worker bell
 *
 * A side rings when it published something or gave room back that the other one waits for.
 */
import { Doorbell, doorbellBytes } from "./doorbell.ts";
import { allocateRing, FULL, RingConsumer, RingProducer } from "./ring.ts";

/** Can be posted to a worker; the memory is shared, not copied. */
export interface LaneMemory {
  tasks: SharedArrayBuffer;
  results: SharedArrayBuffer;
  mainDoorbell: SharedArrayBuffer;
  workerDoorbell: SharedArrayBuffer;
  /** One word: 1 once the main thread has closed the lane. */
  closing: SharedArrayBuffer;
}

const closingBytes = 4;

/** How long a worker sleeps at most before it looks around; only a guard, every event rings. */
const workerNapMs = 1000;

export function allocateLane(taskRingBytes: number, resultRingBytes: number): LaneMemory {
  return {
    tasks: allocateRing(taskRingBytes),
    results: allocateRing(resultRingBytes),
    mainDoorbell: new SharedArrayBuffer(doorbellBytes),
    workerDoorbell: new SharedArrayBuffer(doorbellBytes),
    closing: new SharedArrayBuffer(closingBytes),
  };
}

/** The main thread's end. It never blocks. */
export class MainLane {
  readonly tasks: RingProducer;
  readonly results: RingConsumer;
  readonly #mainDoorbell: Doorbell;
  readonly #workerDoorbell: Doorbell;
  readonly #closing: Int32Array;

  constructor(memory: LaneMemory) {
    this.tasks = new RingProducer(memory.tasks);
    this.results = new RingConsumer(memory.results);
    this.#mainDoorbell = new Doorbell(memory.mainDoorbell);
    this.#workerDoorbell = new Doorbell(memory.workerDoorbell);
    this.#closing = new Int32Array(memory.closing);
  }

  /** Hands every reserved task over and wakes the worker. */
  publish(): void {
    if (this.tasks.publish()) this.#workerDoorbell.ring();
  }

  /** Gives back the room of the results taken so far. */
  releaseResults(): void {
    if (this.results.release()) this.#workerDoorbell.ring();
  }

  /** Resolves when the worker rang, at once if `hasWork` says true (see bell.ts). One call at a time. */
  rung(hasWork: () => boolean): Promise<void> {
    return this.#mainDoorbell.waitAsync(hasWork);
  }

  /** Wakes this side's own waiter, so that it can look at something else that has changed. */
  ringMain(): void {
    this.#mainDoorbell.ring();
  }

  /** Tells the worker to end once it has done the tasks that are published. */
  close(): void {
    Atomics.store(this.#closing, 0, 1);
    this.#workerDoorbell.ring();
  }
}

/** The worker's end. Its calls may block; it must not run on the main thread. */
export class WorkerLane {
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
   * Room for a result in `results.bytes`, waited for if need be. The main thread takes results whenever it runs
   * and never waits for a worker, so this ends.
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
      }, workerNapMs);
    }
  }

  publishResults(): void {
    if (this.results.publish()) this.#mainDoorbell.ring();
  }

  /** Gives back the room of the tasks taken so far. */
  releaseTasks(): void {
    if (this.tasks.release()) this.#mainDoorbell.ring();
  }

  /** Sleeps until there is a task or the lane closes, `napMs` at most. */
  sleep(napMs = workerNapMs): void {
    this.#workerDoorbell.wait(() => this.tasks.hasNext() || this.closing, napMs);
  }
}
