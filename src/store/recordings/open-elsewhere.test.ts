import { expect, test } from "bun:test";
import { entryOf } from "../../testing/fixtures/recording-entry.ts";
import { placementOf } from "../../testing/fixtures/placement.ts";
import { postgresKind } from "../../testing/harness/catalogs.ts";
import { postgresPrograms } from "../../testing/harness/servers/postgres.ts";
import { openElsewhereIn } from "./open-elsewhere.ts";

const startUs = Date.UTC(2026, 0, 2, 3, 4, 5) * 1000;
const name = "mic/stream_7_mic_20260102_030405";
const minuteUs = 60_000_000;

test.skipIf(postgresPrograms === undefined)(
  "A segment that another node has started reaches into every period until the next session of its device",
  () => {
    using place = postgresKind.create();
    const [a, b] = [place.open({ node: "a" }), place.open({ node: "b" })];
    a.recordings.start({ name, placement: placementOf("s"), frameSamples: 320, fillGaps: false });
    const isOpen = (fromUs: number, toUs: number, source = "mic", catalog = b) =>
      openElsewhereIn(catalog.recordings, source, { fromUs, toUs }).length > 0;
    expect(openElsewhereIn(b.recordings, "mic", { fromUs: 0, toUs: startUs + 1 })).toEqual([
      { node: "a", startUs },
    ]);
    expect(isOpen(0, startUs)).toBe(false);
    expect(isOpen(startUs + 60 * minuteUs, startUs + 61 * minuteUs)).toBe(true);
    expect(isOpen(0, startUs + 1, "micro")).toBe(false);
    expect(isOpen(0, startUs + 1, "mic", a)).toBe(false);
    const placement = placementOf("next", { sessionStartUs: startUs + minuteUs });
    b.recordings.enter(entryOf("mic/next", { placement }));
    expect(isOpen(startUs, startUs + 1)).toBe(true);
    expect(isOpen(startUs + minuteUs, startUs + 2 * minuteUs)).toBe(false);
    a.recordings.abandon(name);
    expect(isOpen(0, startUs + 60 * minuteUs)).toBe(false);
    a.close();
    b.close();
  },
);

test.skipIf(postgresPrograms === undefined)("A device without an id is found by its stream", () => {
  using place = postgresKind.create();
  const [a, b] = [place.open({ node: "a" }), place.open({ node: "b" })];
  const started = { placement: placementOf("s"), frameSamples: 320, fillGaps: false };
  a.recordings.start({ ...started, name: "stream_7_20260102_030405" });
  const isOpen = (source: string) =>
    openElsewhereIn(b.recordings, source, { fromUs: 0, toUs: startUs + 1 }).length > 0;
  expect(["#7", "#77", "#70", "7"].map(isOpen)).toEqual([true, false, false, false]);
  a.recordings.abandon("stream_7_20260102_030405");
  a.recordings.start({ ...started, name: "stream_7_mic/stream_1_stream_7_mic_20260102_030405" });
  expect(["#7", "stream_7_mic"].map(isOpen)).toEqual([false, true]);
  a.close();
  b.close();
});
