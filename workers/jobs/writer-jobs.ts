import type { BlockingEnd } from "../../src/lane/blocking-end.ts";
import { RECORD_OPEN } from "../../src/lane/messages/recordings.ts";
import type { Body } from "../../src/lane/messages/streams.ts";
import type { LevelTable } from "../../src/lane/level-table.ts";
import type { ThreadStats } from "../../src/lane/thread-stats.ts";
import type { CacheLayout } from "../../src/store/layout.ts";
import type { Jobs } from "../lane-loop.ts";
import { RecordingJobs } from "./recordings/recording-jobs.ts";
import { UploadJobs } from "./streams/upload-jobs.ts";

/** The uploads and the recordings of one writer thread. The kind of a task tells which of the two it is for. */
export class WriterJobs implements Jobs {
  readonly #uploads: UploadJobs;
  readonly #recordings: RecordingJobs;

  constructor(lane: BlockingEnd, layout: CacheLayout, stats: ThreadStats, levels: LevelTable) {
    this.#uploads = new UploadJobs(lane, layout);
    this.#recordings = new RecordingJobs(lane, stats, levels);
  }

  run(kind: number, slot: number, body: Body): void {
    if (kind >= RECORD_OPEN) this.#recordings.run(kind, slot, body);
    else this.#uploads.run(kind, slot, body);
  }

  background(): boolean {
    const moreUploads = this.#uploads.background();
    return this.#recordings.background() || moreUploads;
  }

  maxSleepMs(): number | undefined {
    return this.#recordings.maxSleepMs();
  }

  close(): void {
    this.#uploads.close();
    this.#recordings.close();
  }
}
