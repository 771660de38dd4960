/** A worker for tests of the lane: returns every task as a result, unmerged and in order. */
import { BlockingEnd } from "../../lane/blocking-end.ts";
import type { LaneMemory } from "../../lane/lane.ts";

declare const self: { onmessage: ((event: { data: { lane: LaneMemory } }) => void) | null };

self.onmessage = (event) => {
  self.onmessage = null;
  const lane = new BlockingEnd(event.data.lane);
  const { tasks, results } = lane;
  while (!lane.closing || tasks.hasNext()) {
    while (tasks.next()) {
      const at = lane.reserveResult(tasks.kind, tasks.subject, tasks.length);
      results.bytes.set(tasks.bytes.subarray(tasks.offset, tasks.offset + tasks.length), at);
      if (tasks.unreleasedBytes > tasks.capacityBytes / 4) lane.releaseTasks();
    }
    lane.releaseTasks();
    lane.publishResults();
    if (!lane.closing) lane.sleep();
  }
};
