import { expect, test } from "bun:test";
import type { SpanRow } from "../../../store/recordings/timeline/catalog.ts";
import { placementOf } from "../../../testing/fixtures/placement.ts";
import { type UnenteredSegment, withWritten } from "./written.ts";

const second = 1_000_000;
const format = { streamId: 7, sampleRate: 1000, channels: 1 };

/** A segment of one second at a position in seconds, of a session that started at 0. */
function segment(session: string, position: number): UnenteredSegment {
  const placement = placementOf(session, { sessionStartUs: 0, position: position * 1000 });
  return { name: `${session}@${position}`, placement, samples: 1000, ...format, wav: undefined };
}

const facts = { sessionStartUs: 0, run: "a", steppedMs: 0, deviceTimeMs: null, ended: null };
const known: SpanRow = {
  session: 5,
  key: "c.0",
  first: 0,
  past: 2000,
  startUs: 0,
  endUs: 2 * second,
  segments: 2,
  samples: 2000,
  lostFrames: 0,
  ...facts,
  ...format,
};
const entered = [0, 1].map((position) => {
  const wav = { bytes: 1, sha256: "a" };
  return { id: position, name: `c.0@${position}`, session: 5, position, samples: 1000, losses: [], wav };
});

const spansOf = (written: UnenteredSegment[], fromUs = 0, toUs = 100 * second) => {
  const { spans, segments } = withWritten({ spans: [known], segments: entered }, written, { fromUs, toUs });
  const shown = spans.map(({ session, first, past, endUs }) => [session, first, past, endUs / second]);
  return { spans: shown, names: segments.map(({ name }) => name) };
};

test("audio that is written continues the span of its session, and other sessions have spans of their own", () => {
  const written = [segment("c.0", 3), segment("c.0", 2), segment("d.0", 2), segment("c.0", 5)];
  expect(spansOf(written)).toEqual({
    spans: [
      [5, 0, 4000, 4],
      [-2, 2000, 3000, 3],
      [5, 5000, 6000, 6],
    ],
    names: ["c.0@0", "c.0@1", "c.0@2", "d.0@2", "c.0@3", "c.0@5"],
  });
});

test("audio that the catalog has by now, or that lies outside of the period, is not added", () => {
  expect(spansOf([segment("c.0", 1), segment("c.0", 2), segment("c.0", 3)], 0, 3 * second)).toEqual({
    spans: [[5, 0, 3000, 3]],
    names: ["c.0@0", "c.0@1", "c.0@2"],
  });
});
