import { expect, test } from "bun:test";
import { measureDevices, missedTargets } from "./devices.ts";

test("devices that play receive every packet that is due, and their process exits", async () => {
  const settings = { devices: 12, playing: 4, seconds: 1, workers: 1, leadMs: 200 };
  const result = await measureDevices(settings);
  expect(result.played.faults).toEqual([]);
  expect(result.played.packets).toBeGreaterThanOrEqual(4 * 50);
  // The packets sent at once, the packets due, and a few more for a late Stop.
  expect(result.played.packets).toBeLessThan(4 * (50 + 10 + 100));
  const late = { ...result, played: { ...result.played, late: { p50: 0, p99: 40, max: 99 } } };
  expect(missedTargets(late).join()).toContain("late packets");
}, 60_000);
