/** The consumer of the ring bench: a record's subject is the number of records in the pass. */
import { BlockingEnd } from "../../src/lane/blocking-end.ts";
import type { LaneMemory } from "../../src/lane/lane.ts";

declare const self: { onmessage: ((event: { data: unknown }) => void) | null };

/** As in the server's workers: a batch is released while the producer still has room. */
const releaseFraction = 8;

self.onmessage = (event) => {
  self.onmessage = null;
  consume(new BlockingEnd(event.data as LaneMemory));
};

function consume(lane: BlockingEnd): void {
  const { tasks } = lane;
  const batchBytes = tasks.capacityBytes / releaseFraction;
  let seen = 0;
  let sum = 0;
  while (!lane.closing) {
    while (tasks.unreleasedBytes < batchBytes && tasks.next()) {
      sum += tasks.bytes[tasks.offset]!;
      seen += 1;
      if (seen < tasks.subject) continue;
      lane.reserveResult(1, sum, 0);
      lane.publishResults();
      seen = 0;
      sum = 0;
    }
    lane.releaseTasks();
    if (!tasks.hasNext()) lane.sleep();
  }
}
