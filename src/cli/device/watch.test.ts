import { expect, test } from "bun:test";
import { rejectionOf } from "../../testing/fixtures/client.ts";
import { DeviceWatch } from "./watch.ts";
import { CliError } from "../kit/failures.ts";

const far = () => performance.now() + 60_000;
const failure = () => new CliError("nothing came", "");

test("a condition is looked at at once and with each notice", async () => {
  const watch = new DeviceWatch();
  await watch.when(
    () => true,
    () => 0,
    failure,
  );
  let value = 0;
  let met = false;
  const waiting = watch.when(() => value === 2, far, failure).then(() => (met = true));
  for (value = 1; value < 2; value++) watch.noticed();
  await Promise.resolve();
  expect(met).toBe(false);
  watch.noticed();
  await waiting;
});

test("it fails at its deadline, which may have moved away meanwhile", async () => {
  const watch = new DeviceWatch();
  const began = performance.now();
  let looks = 0;
  const deadlineMs = () => (++looks < 3 ? performance.now() + 20 : 0);
  expect(await rejectionOf(watch.when(() => false, deadlineMs, failure))).toBe("nothing came");
  expect(looks).toBe(3);
  // Timers may be a millisecond early.
  expect(performance.now() - began).toBeGreaterThanOrEqual(38);
});

test("when the device is over, whatever waits or comes to wait is told why", async () => {
  const watch = new DeviceWatch();
  const waiting = rejectionOf(watch.when(() => false, far, failure));
  watch.fail(new Error("over"));
  expect(await waiting).toBe("over");
  expect(await rejectionOf(watch.when(() => false, far, failure))).toBe("over");
  await watch.when(() => true, far, failure);
});
