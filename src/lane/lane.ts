/**
 * The shared memory of a lane between the main thread and one worker. Tasks flow one way, results the other, and each
 * side has a doorbell.
 *
 *     main   tasks: producer  ==================>  consumer  worker
 *            results: consumer  <================  producer
 *            main doorbell  <----- rings --------
 *            ------- rings ------->  worker doorbell
 *
 * A side rings after it has published records, and after it has released room that the other side waits for.
 * `EventLoopEnd` is the main thread's end, `BlockingEnd` the worker's.
 */
import { doorbellBytes } from "./doorbell.ts";
import { allocateRing } from "./ring.ts";

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

export function allocateLane(taskRingBytes: number, resultRingBytes: number): LaneMemory {
  return {
    tasks: allocateRing(taskRingBytes),
    results: allocateRing(resultRingBytes),
    mainDoorbell: new SharedArrayBuffer(doorbellBytes),
    workerDoorbell: new SharedArrayBuffer(doorbellBytes),
    closing: new SharedArrayBuffer(closingBytes),
  };
}
