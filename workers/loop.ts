/**
 * The life of a worker thread behind a lane: take tasks, run them where they lie, publish what came of them, sleep.
 * Room is given back and results are published once a batch, since each costs a fence and perhaps a wake-up.
 */
import type { Body } from "../src/lane/messages/streams.ts";
import type { WorkerLane } from "../src/lane/lane.ts";
import type { ThreadStats } from "../src/lane/thread-stats.ts";

export interface Jobs {
  /** Runs one task; the body is valid until this returns. */
  run(kind: number, subject: number, body: Body): void;
  /** Does a slice of work that nobody asked for right now. Returns true if there is more of it. */
  background(): boolean;
  /** How long the thread may sleep before `background` is to be called again; undefined for as long as it likes. */
  napMs?(): number | undefined;
  /** The lane closes: let go of everything. */
  close(): void;
}

/** A batch ends here at the latest, so that a producer in front of a full ring gets room while the next one runs. */
const batchFraction = 8;

/** And here, so that what is due in the background is not late, however long each task takes. */
const batchMs = 50;

/** Blocks until the lane is closed and its last task is done. */
export function runLane(lane: WorkerLane, jobs: Jobs, stats: ThreadStats): void {
  const batchBytes = lane.tasks.capacityBytes / batchFraction;
  for (;;) {
    const closing = lane.closing;
    const ran = runBatch(lane, jobs, stats, batchBytes);
    const began = performance.now();
    const more = jobs.background();
    stats.ranBackground(performance.now() - began);
    lane.publishResults();
    if (ran || more) continue;
    if (closing) break;
    lane.sleep(jobs.napMs?.());
  }
  jobs.close();
  lane.publishResults();
}

function runBatch(lane: WorkerLane, jobs: Jobs, stats: ThreadStats, batchBytes: number): boolean {
  const tasks = lane.tasks;
  let now = performance.now();
  const end = now + batchMs;
  let ran = false;
  while (tasks.unreleasedBytes < batchBytes && now < end && tasks.next()) {
    jobs.run(tasks.kind, tasks.subject, tasks);
    const done = performance.now();
    stats.ran(tasks.kind, done - now);
    now = done;
    ran = true;
  }
  lane.releaseTasks();
  return ran;
}
