import { expect, test } from "bun:test";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GiB, MiB } from "../base/limits/units.ts";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { GarbageWatch } from "./garbage-watch.ts";

const canMap = process.platform !== "win32";

test.skipIf(!canMap)(
  "garbage does not pile up while much memory is mapped",
  async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "sparse");
    writeFileSync(path, "");
    truncateSync(path, 2 * GiB);
    const map = Bun.mmap(path);
    const watch = new GarbageWatch();
    let maxHeapBytes = 0;
    for (let made = 0; made < 400 * MiB; made += 2 * MiB) {
      litter(2 * MiB);
      maxHeapBytes = Math.max(maxHeapBytes, process.memoryUsage().heapTotal);
      await Bun.sleep(2);
    }
    watch.close();
    expect(map.length).toBe(2 * GiB);
    expect(maxHeapBytes).toBeLessThan(150 * MiB);
  },
  20_000,
);

/** Allocates objects of about this size, and drops them. */
function litter(bytes: number): void {
  const objectBytes = 128;
  const objects = Array.from({ length: bytes / objectBytes }, (_, index) => ({
    index,
    text: `${index} of ${bytes}`,
  }));
  expect(objects.length).toBeGreaterThan(0);
}
