/** A worker for tests of full lanes: it spends a millisecond on each task and sends no results. */
import { BlockingEnd } from "../../lane/blocking-end.ts";
import type { LaneMemory } from "../../lane/lane.ts";

declare const self: { onmessage: ((event: { data: { lane: LaneMemory } }) => void) | null };

const taskMs = 1;
const neverRung = new Int32Array(new SharedArrayBuffer(4));

self.onmessage = (event) => {
  self.onmessage = null;
  const lane = new BlockingEnd(event.data.lane);
  while (!lane.closing || lane.tasks.hasNext()) {
    while (lane.tasks.next()) {
      Atomics.wait(neverRung, 0, 0, taskMs);
      lane.releaseTasks();
    }
    if (!lane.closing) lane.sleep();
  }
};
