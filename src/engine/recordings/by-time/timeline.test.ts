import { describe, expect, test } from "bun:test";
import type { SpanRow, TimelineRows } from "../../../store/recordings/timeline/catalog.ts";
import { timelineOf } from "./timeline.ts";

const second = 1_000_000;

/** A span of a session of its own; times are in seconds. */
function span(start: number, end: number, changes: Partial<SpanRow> = {}): SpanRow {
  return {
    session: start,
    startUs: start * second,
    endUs: end * second,
    first: 0,
    past: (end - start) * 1000,
    segments: 1,
    samples: (end - start) * 1000,
    lostFrames: 0,
    sampleRate: 1000,
    channels: 1,
    streamId: 7,
    key: "c.0",
    sessionStartUs: start * second,
    run: "a",
    steppedMs: 0,
    deviceTimeMs: null,
    ended: null,
    ...changes,
  };
}

function timeline(spans: SpanRow[], changes: Partial<TimelineRows> = {}, from = 0, to = 1e9, limit = 100) {
  const rows: TimelineRows = {
    bounds: { earliestUs: 0, latestUs: 1e12 },
    spans,
    before: undefined,
    after: undefined,
    losses: [],
    totals: { spans: spans.length, segments: spans.length, audioUs: 0, lostFrames: 0 },
    ...changes,
  };
  return timelineOf(rows, from * second, to * second, limit)!;
}

const gapsOf = (...args: Parameters<typeof timeline>) =>
  timeline(...args).gaps.map(({ startUs, endUs, reason, steppedMs }) =>
    [startUs / second, endUs / second, reason, steppedMs].filter((part) => part !== undefined),
  );

describe("the gaps of a timeline", () => {
  test("are a silent link while one server runs, or after the device has left", () => {
    expect(gapsOf([span(0, 10), span(12, 20)])).toEqual([[10, 12, "silent link"]]);
    const left = span(0, 10, { ended: "device" });
    expect(gapsOf([left, span(12, 20, { run: "b" })])).toEqual([[10, 12, "silent link"]]);
  });

  test("are a server that was down after a crash, or after a stop", () => {
    expect(gapsOf([span(0, 10), span(12, 20, { run: "b" })])).toEqual([[10, 12, "server down"]]);
    const stopped = span(0, 10, { ended: "server" });
    expect(gapsOf([stopped, span(12, 20, { run: "b" })])).toEqual([[10, 12, "server down"]]);
  });

  test("are a clock that was set, ahead or back, where one server runs", () => {
    const ahead = span(70, 80, { steppedMs: 58_000 });
    expect(gapsOf([span(0, 10), ahead])).toEqual([[10, 70, "clock stepped", 58_000]]);
    const behind = span(5, 15, { steppedMs: -7_000 });
    expect(gapsOf([span(0, 10), behind])).toEqual([[5, 5, "clock stepped", -7_000]]);
  });

  test("are lost frames within a span, in the time that was lost", () => {
    const losses = [
      { session: 10, position: 0, losses: [{ at: 1000, samples: 500 }] },
      {
        session: 10,
        position: 2500,
        losses: [
          { at: 0, samples: 250 },
          { at: 250, samples: 250 },
        ],
      },
    ];
    expect(gapsOf([span(10, 20)], { losses })).toEqual([
      [11, 11.5, "lost frames"],
      [12.5, 12.75, "lost frames"],
      [13, 13.25, "lost frames"],
    ]);
  });

  test("reach to the neighbours of the period, and only as far as they touch it", () => {
    const neighbours = { before: span(0, 5), after: span(30, 40) };
    expect(gapsOf([span(10, 20)], neighbours, 8, 25)).toEqual([
      [5, 10, "silent link"],
      [20, 30, "silent link"],
    ]);
    expect(gapsOf([span(10, 20)], neighbours, 12, 18)).toEqual([]);
  });

  test("do not lie between spans that overlap, or that one longer span covers", () => {
    expect(gapsOf([span(5, 6), span(0, 10), span(9, 12)])).toEqual([]);
  });
});

describe("a timeline", () => {
  test("continues after the last span of a page", () => {
    const { nextUs, spans } = timeline([span(0, 1), span(2, 3)], { after: span(9, 10) }, 0, 100, 2);
    expect([nextUs, spans.length]).toEqual([3 * second, 2]);
    expect(timeline([span(0, 1)], {}, 0, 100, 2).nextUs).toBeUndefined();
  });

  test("does not exist without audio", () => {
    const rows = { bounds: undefined };
    expect(timeline([], rows)).toBeUndefined();
  });
});
