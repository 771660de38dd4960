/** A reader thread: copies ranges of files into its lane. */
import { BlockingEnd } from "../src/lane/blocking-end.ts";
import { ReadJobs } from "./jobs/streams/read-jobs.ts";
import { ThreadStats } from "../src/lane/thread-stats.ts";
import { runLane } from "./lane-loop.ts";
import { onLaneStart } from "./lane-start.ts";

onLaneStart((start) => {
  const lane = new BlockingEnd(start.lane);
  runLane(lane, new ReadJobs(lane), new ThreadStats(start.stats));
});
