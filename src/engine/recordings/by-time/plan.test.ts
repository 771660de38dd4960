import { expect, test } from "bun:test";
import type { SegmentRow, SpanRow } from "../../../store/recordings/timeline/catalog.ts";
import { isClip, planPeriod } from "./plan.ts";

const second = 1_000_000;

/** A session of 1000 Hz with one segment; times are in seconds. */
function session(id: number, start: number, end: number, lost?: { at: number; samples: number }) {
  const past = (end - start) * 1000;
  const losses = lost === undefined ? [] : [lost];
  const samples = past - (lost?.samples ?? 0);
  const span: SpanRow = {
    session: id,
    key: `c${id}.0`,
    startUs: start * second,
    endUs: end * second,
    first: 0,
    past,
    segments: 1,
    samples,
    lostFrames: losses.length,
    sampleRate: 1000,
    channels: 1,
    streamId: 7,
    sessionStartUs: start * second,
    run: "a",
    steppedMs: 0,
    deviceTimeMs: null,
    ended: null,
  };
  const wav = { bytes: 44 + 2 * samples, sha256: String(id) };
  const segment: SegmentRow = { id, name: `s${id}`, session: id, position: 0, samples, losses, wav };
  return { span, segment };
}

test("sessions that overlap are heard one after the other, wherever the period ends", () => {
  const sessions = [session(1, 0, 10, { at: 4_000, samples: 2_000 }), session(2, 3, 12)];
  const partsUntil = (toSeconds: number) => {
    const spans = sessions.map(({ span }) => span);
    const segments = sessions.map(({ segment }) => segment);
    const options = {
      fromUs: 0,
      toUs: toSeconds * second,
      gaps: "silence",
      resampleRate: undefined,
    } as const;
    return planPeriod(spans, segments, options).pieces.map((piece) => [
      isClip(piece) ? piece.segment.id : 0,
      piece.start,
      piece.samples,
    ]);
  };
  expect(partsUntil(5)).toEqual([
    [1, 0, 4_000],
    [0, 4_000, 1_000],
  ]);
  expect(partsUntil(13)).toEqual([
    [1, 0, 4_000],
    [0, 4_000, 2_000],
    [1, 6_000, 4_000],
    [2, 10_000, 2_000],
    [0, 12_000, 1_000],
  ]);
});
