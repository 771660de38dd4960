import { expect, test } from "bun:test";
import { rejectionOf } from "../../testing/fixtures/client.ts";
import { ConditionWaiter } from "./conditions.ts";
import { CliError } from "../kit/failures.ts";

const far = () => performance.now() + 60_000;
const failure = () => new CliError("nothing came", "");

test("a condition is tested at once and with each check", async () => {
  const waiter = new ConditionWaiter();
  await waiter.when(
    () => true,
    () => 0,
    failure,
  );
  let value = 0;
  let met = false;
  const waiting = waiter.when(() => value === 2, far, failure).then(() => (met = true));
  for (value = 1; value < 2; value++) waiter.check();
  await Promise.resolve();
  expect(met).toBe(false);
  waiter.check();
  await waiting;
});

test("a wait fails at its deadline, which may have moved later meanwhile", async () => {
  const waiter = new ConditionWaiter();
  const began = performance.now();
  let looks = 0;
  const deadlineMs = () => (++looks < 3 ? performance.now() + 20 : 0);
  expect(await rejectionOf(waiter.when(() => false, deadlineMs, failure))).toBe("nothing came");
  expect(looks).toBe(3);
  // Timers may be a millisecond early.
  expect(performance.now() - began).toBeGreaterThanOrEqual(38);
});

test("a failed device rejects present and future waits with its error", async () => {
  const waiter = new ConditionWaiter();
  const waiting = rejectionOf(waiter.when(() => false, far, failure));
  waiter.fail(new Error("over"));
  expect(await waiting).toBe("over");
  expect(await rejectionOf(waiter.when(() => false, far, failure))).toBe("over");
  await waiter.when(() => true, far, failure);
});
