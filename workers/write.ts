/** A writer thread: hashes uploads and appends them to their files. */
import { WorkerLane } from "../src/lane/lane.ts";
import { CacheLayout } from "../src/store/layout.ts";
import { UploadJobs } from "./jobs/uploads.ts";
import { runLane } from "./loop.ts";
import { onLaneStart } from "./thread.ts";

onLaneStart((start) => {
  const lane = new WorkerLane(start.lane);
  runLane(lane, new UploadJobs(lane, new CacheLayout(start.cacheDir)));
});
