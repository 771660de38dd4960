import { expect, test } from "bun:test";
import { besideEventsLines, measureBesideEvents } from "./beside-events.ts";
import { measureIngest } from "./ingest-load.ts";

test("200 concurrent live streams are recorded without a lost frame, none later than a second", async () => {
  const settings = { streams: 200, seconds: 3, frameMs: 20, workers: 2 };
  const result = await measureIngest(settings);
  expect(result.droppedEvents).toBe(0);
  expect(result.faults).toEqual([]);
  expect(result.sentFrames).toBe(200 * 150);
  expect(result.recordedFrames).toBe(result.sentFrames);
  expect(result.delaysMs.length).toBeGreaterThan(100);
  expect(result.delaysMs.at(-1)!).toBeLessThan(1000 + result.generatorLateMs);
}, 60_000);

test("streams are recorded beside events, and alone in turns with them", async () => {
  const settings = { streams: 20, seconds: 1, frameMs: 20, workers: 2 };
  const results = await measureBesideEvents(settings, 2_000);
  expect([...results.alone, ...results.beside].flatMap(({ faults }) => faults)).toEqual([]);
  expect(besideEventsLines(results, settings, 2_000).join("\n")).toContain("beside events");
}, 60_000);
