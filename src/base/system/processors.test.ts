import { expect, test } from "bun:test";
import { until } from "../../testing/harness/until.ts";
import { ProcessorLoad } from "./processors.ts";

test("a process that computes shows in the load", async () => {
  const worker = Bun.spawn(["sh", "-c", "while :; do :; done"]);
  try {
    const load = new ProcessorLoad();
    const alone = 1 / navigator.hardwareConcurrency;
    await until("the load", 10_000, async () => {
      await Bun.sleep(100);
      const share = load.share();
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThanOrEqual(1);
      return share > alone / 2;
    });
  } finally {
    worker.kill();
    await worker.exited;
  }
});

test("no time since the last call is no load", () => {
  const load = new ProcessorLoad();
  load.share();
  expect(load.share()).toBeLessThanOrEqual(1);
});
