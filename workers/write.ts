/** A writer thread: uploads are hashed and appended to their files, live streams decoded and recorded. */
import { WorkerLane } from "../src/lane/lane.ts";
import { RECORD_OPEN } from "../src/lane/messages/recordings.ts";
import type { Body } from "../src/lane/messages/streams.ts";
import { ThreadStats } from "../src/lane/thread-stats.ts";
import { CacheLayout } from "../src/store/layout.ts";
import { RecordingJobs } from "./jobs/recordings.ts";
import { UploadJobs } from "./jobs/uploads.ts";
import { type Jobs, runLane } from "./loop.ts";
import { onLaneStart } from "./thread.ts";

/** Both kinds of work side by side; which one a task is for is in its number. */
class WriterJobs implements Jobs {
  readonly #uploads: UploadJobs;
  readonly #recordings: RecordingJobs;

  constructor(lane: WorkerLane, layout: CacheLayout, stats: ThreadStats) {
    this.#uploads = new UploadJobs(lane, layout);
    this.#recordings = new RecordingJobs(lane, stats);
  }

  run(kind: number, slot: number, body: Body): void {
    if (kind >= RECORD_OPEN) this.#recordings.run(kind, slot, body);
    else this.#uploads.run(kind, slot, body);
  }

  background(): boolean {
    const moreUploads = this.#uploads.background();
    return this.#recordings.background() || moreUploads;
  }

  napMs(): number | undefined {
    return this.#recordings.napMs();
  }

  close(): void {
    this.#uploads.close();
    this.#recordings.close();
  }
}

onLaneStart<{ cacheDir: string }>((start) => {
  const lane = new WorkerLane(start.lane);
  const stats = new ThreadStats(start.stats);
  runLane(lane, new WriterJobs(lane, new CacheLayout(start.cacheDir), stats), stats);
});
