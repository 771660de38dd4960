import { test } from "bun:test";
import { WavecacheError } from "../base/errors.ts";
import { catalogLookMs } from "../base/limits/postgres.ts";
import { until } from "../testing/harness/until.ts";
import { type CatalogNews, CatalogWatch, type SharedCatalog } from "./shared-catalog.ts";

/** A catalog that refuses one look. */
class BusyOnce implements SharedCatalog {
  looks = 0;

  renewLease(): void {}

  news(): CatalogNews {
    this.looks += 1;
    if (this.looks === 2) throw new WavecacheError("CATALOG_BUSY", "canceling statement due to user request");
    return { newestEvent: this.looks, tokens: 0, sessions: 0, tasks: 0, nowMs: Date.now() };
  }

  takeOverWork(): number {
    return 0;
  }
}

test("a look that the catalog refuses for a moment is not the last one", async () => {
  const announced: number[] = [];
  const listener = {
    eventsAppended: (newest: number) => announced.push(newest),
    tokensChanged() {},
    sessionsEnded() {},
    clockDiffers() {},
    tasksWaiting() {},
  };
  const watch = new CatalogWatch(new BusyOnce(), listener);
  try {
    await until("news after the look that failed", 4 * catalogLookMs, () => announced.includes(3));
  } finally {
    watch.close();
  }
});
