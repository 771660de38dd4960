/**
 * The main loop of a worker thread behind a lane: run tasks in place, publish their results, sleep. Releasing room and
 * publishing results costs a fence and perhaps a wake-up, so both happen once per batch.
 */
import type { Body } from "../src/lane/messages/streams.ts";
import type { BlockingEnd } from "../src/lane/blocking-end.ts";
import type { ThreadStats } from "../src/lane/thread-stats.ts";

export interface Jobs {
  /** Runs one task; the body is valid until this returns. */
  run(kind: number, subject: number, body: Body): void;
  /** Does a slice of background work, such as hashing. Returns true if there is more. */
  background(): boolean;
  /** Calls `background` again after this long at the latest; undefined for no limit. */
  maxSleepMs?(): number | undefined;
  /** The lane is closed: release all files. */
  close(): void;
}

/** A batch is at most this part of the ring: a producer that waits for room gets it while the next batch runs. */
const batchFraction = 8;

/** A batch takes no longer than this (plus one task): otherwise background work would be late. */
const maxBatchMs = 50;

/** Blocks until the lane is closed and its last task is done. */
export function runLane(lane: BlockingEnd, jobs: Jobs, stats: ThreadStats): void {
  const maxBatchBytes = lane.tasks.capacityBytes / batchFraction;
  for (;;) {
    const closing = lane.closing;
    const ran = runBatch(lane, jobs, stats, maxBatchBytes);
    const began = performance.now();
    const more = jobs.background();
    stats.ranBackground(performance.now() - began);
    lane.publishResults();
    if (ran || more) continue;
    if (closing) break;
    lane.sleep(jobs.maxSleepMs?.());
  }
  jobs.close();
  lane.publishResults();
}

function runBatch(lane: BlockingEnd, jobs: Jobs, stats: ThreadStats, maxBatchBytes: number): boolean {
  const tasks = lane.tasks;
  let now = performance.now();
  const end = now + maxBatchMs;
  let ran = false;
  while (tasks.unreleasedBytes < maxBatchBytes && now < end && tasks.next()) {
    jobs.run(tasks.kind, tasks.subject, tasks);
    const done = performance.now();
    stats.ran(tasks.kind, done - now);
    now = done;
    ran = true;
  }
  lane.releaseTasks();
  return ran;
}
