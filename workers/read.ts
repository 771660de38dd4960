/** A reader thread: verifies ranges of files and copies them into its lane. */
import { BlockingEnd } from "../src/lane/blocking-end.ts";
import { CacheLayout } from "../src/store/layout.ts";
import { ReadJobs } from "./jobs/streams/read-jobs.ts";
import { ThreadStats } from "../src/lane/thread-stats.ts";
import { runLane } from "./lane-loop.ts";
import { onLaneStart } from "./lane-start.ts";

onLaneStart<{ cacheDir: string }>((start) => {
  const lane = new BlockingEnd(start.lane);
  runLane(lane, new ReadJobs(lane, new CacheLayout(start.cacheDir)), new ThreadStats(start.stats));
});
