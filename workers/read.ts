/** A reader thread: answers ranges of files out of memory maps. */
import { WorkerLane } from "../src/lane/lane.ts";
import { ReadJobs } from "./jobs/reads.ts";
import { ThreadStats } from "../src/lane/thread-stats.ts";
import { runLane } from "./loop.ts";
import { onLaneStart } from "./thread.ts";

onLaneStart((start) => {
  const lane = new WorkerLane(start.lane);
  runLane(lane, new ReadJobs(lane), new ThreadStats(start.stats));
});
