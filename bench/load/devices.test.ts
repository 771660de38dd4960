import { expect, test } from "bun:test";
import { measureDevices, missedTargets } from "./devices.ts";

test("devices that play get every packet of their time, and their processes end", async () => {
  const settings = { devices: 12, playing: 4, seconds: 1, workers: 1, leadMs: 200 };
  const result = await measureDevices(settings);
  expect(result.played.faults).toEqual([]);
  expect(result.played.packets).toBeGreaterThanOrEqual(4 * 50);
  // What was sent at once, what was due, and a little for a Stop that was late.
  expect(result.played.packets).toBeLessThan(4 * (50 + 10 + 100));
  const late = { ...result, played: { ...result.played, late: { p50: 0, p99: 40, most: 99 } } };
  expect(missedTargets(late).join()).toContain("late packets");
}, 60_000);
