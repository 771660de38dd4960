/** A writer thread: hashes uploads and appends them to their files, decodes and records live streams. */
import { BlockingEnd } from "../src/lane/blocking-end.ts";
import { LevelTable } from "../src/lane/level-table.ts";
import { ThreadStats } from "../src/lane/thread-stats.ts";
import { CacheLayout } from "../src/store/layout.ts";
import { WriterJobs } from "./jobs/writer-jobs.ts";
import { runLane } from "./lane-loop.ts";
import { onLaneStart } from "./lane-start.ts";

onLaneStart<{ cacheDir: string; levels: SharedArrayBuffer }>((start) => {
  const lane = new BlockingEnd(start.lane);
  const stats = new ThreadStats(start.stats);
  const levels = new LevelTable(start.levels);
  runLane(lane, new WriterJobs(lane, new CacheLayout(start.cacheDir), stats, levels), stats);
});
