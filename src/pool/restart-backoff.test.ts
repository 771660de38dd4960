import { expect, test } from "bun:test";
import { until } from "../testing/harness/until.ts";
import { RestartBackoff } from "./restart-backoff.ts";

test("a thread is not restarted while no thread can start, and counts as dead until then", async () => {
  let canStart = false;
  let starts = 0;
  let asked = 0;
  const backoff = new RestartBackoff(
    () => void (starts += 1),
    () => {
      asked += 1;
      return canStart;
    },
  );
  backoff.schedule();
  await until("several tries", 5_000, () => asked > 2);
  expect([starts, backoff.restarts, backoff.isPending]).toEqual([0, 0, true]);
  canStart = true;
  await until("a start", 5_000, () => starts === 1);
  expect([backoff.restarts, backoff.isPending]).toEqual([1, false]);
});
