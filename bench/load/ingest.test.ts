import { expect, test } from "bun:test";
import { measureIngest } from "./ingest-load.ts";

test("200 concurrent live streams are recorded without a lost frame, none later than a second", async () => {
  const settings = { streams: 200, seconds: 3, frameMs: 20, workers: 2 };
  const result = await measureIngest(settings);
  expect(result.faults).toEqual([]);
  expect(result.sentFrames).toBe(200 * 150);
  expect(result.recordedFrames).toBe(result.sentFrames);
  expect(result.delaysMs.length).toBeGreaterThan(100);
  expect(result.delaysMs.at(-1)!).toBeLessThan(1000 + result.generatorLateMs);
}, 60_000);
