import { describe, expect, test } from "bun:test";
import { maxEventGlobChars, maxEventGlobs } from "../../base/limits/events.ts";
import { EventFilter } from "./event-filter.ts";

const finished = { type: "stream.finished", subject: "streams/a" };
const closed = { type: "recording.closed", subject: "recordings/kitchen-1" };

describe("a filter of events", () => {
  test("lets everything through without globs", () => {
    expect(new EventFilter().matches(finished)).toBe(true);
    expect(new EventFilter("*").matches(closed)).toBe(true);
  });

  test("matches types and subjects by glob", () => {
    expect(new EventFilter("stream.*,device.lost").matches(finished)).toBe(true);
    expect(new EventFilter("stream.*,device.lost").matches(closed)).toBe(false);
    expect(new EventFilter("", "recordings/kitchen-*").matches(closed)).toBe(true);
    expect(new EventFilter("", "recordings/*,devices/*").matches(finished)).toBe(false);
    expect(new EventFilter("", "*").matches(closed)).toBe(false);
    expect(new EventFilter("recording.closed", "streams/*").matches(closed)).toBe(false);
  });

  test.each([["strem.*"], ["stream.{a,b}"], ["x".repeat(maxEventGlobChars + 1)]])("refuses %s", (types) => {
    expect(() => new EventFilter(types)).toThrow(RangeError);
  });

  test("refuses more globs than the limit", () => {
    expect(() => new EventFilter("", "a,".repeat(maxEventGlobs + 1))).toThrow(RangeError);
  });
});
