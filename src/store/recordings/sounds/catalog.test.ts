import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { SqlCatalog } from "../../streams/sql/catalog.ts";
import { type CatalogPlace, catalogKinds } from "../../../testing/harness/catalogs.ts";
import { placementOf } from "../../../testing/fixtures/placement.ts";
import type { SoundSpan, SpanQuery } from "./catalog.ts";

let place: CatalogPlace;
let catalog: SqlCatalog;

function openEach(create: () => CatalogPlace): void {
  beforeEach(() => {
    place = create();
    catalog = place.open();
  });
  afterEach(() => {
    catalog.close();
    place[Symbol.dispose]();
  });
}

const span = (startedAt: number, endedAt: number | null, changes: Partial<SoundSpan> = {}): SoundSpan => ({
  device: "mic",
  streamId: 7,
  kind: "sound",
  startedAt,
  endedAt,
  ...changes,
});

const all: SpanQuery = { source: "mic", from: 0, to: 1e15, kind: undefined, after: undefined, limit: 10 };
const list = (query: Partial<SpanQuery> = {}) => catalog.sounds.list({ ...all, ...query });

describe.each(catalogKinds)("the catalog of sound and silence $name", ({ create }) => {
  openEach(create);

  test("spans are saved again when they end", () => {
    catalog.sounds.save([span(1, null), span(5, 6, { device: null })]);
    expect(list()).toEqual([span(1, null)]);
    catalog.sounds.save([span(1, 4)]);
    expect(list()).toEqual([span(1, 4)]);
    expect(list({ source: "#7" })).toEqual([span(5, 6, { device: null })]);
  });

  test("spans are listed by their time, kind and page", () => {
    const silence = span(20, 30, { kind: "silence" });
    const spans = [span(10, 20), silence, span(30, null), span(30, 31, { streamId: 8 })];
    catalog.sounds.save(spans.toReversed());
    expect(list()).toEqual(spans);
    expect(list({ kind: "silence" })).toEqual([silence]);
    expect(list({ from: 20, to: 30 })).toEqual([silence]);
    expect(list({ from: 1e12 })).toEqual([spans[2]!]);
    expect(list({ from: 20, to: 30.5 })).toEqual(spans.slice(1));
    expect(list({ from: 19.5, to: 29.5 })).toEqual(spans.slice(0, 2));
    const first = list({ limit: 3 });
    expect(first).toEqual(spans.slice(0, 3));
    expect(list({ after: first[2]!, limit: 3 })).toEqual([spans[3]!]);
  });

  test("spans that a crash has left open end where the last recording of their device ends", () => {
    const format = {
      codec: "pcm",
      sampleRate: 16_000,
      channels: 1,
      nibbleOrder: null,
      nibbleOrderBy: null,
    } as const;
    const counts = { frames: 1, samples: 16_000, gaps: 0, lostFrames: 0 };
    const file = { bytes: 1, sha256: "a".repeat(64) };
    const times = { startedAt: 2000, endedAt: 3000, placement: placementOf("s") };
    const files = { bin: file, wav: file };
    catalog.recordings.enter({
      name: "a",
      device: "mic",
      streamId: 7,
      ...format,
      ...counts,
      ...times,
      ...files,
    });
    catalog.sounds.save([span(1000, null), span(9000, null), span(5, null, { device: null })]);
    catalog.sounds.endAll();
    expect(list()).toEqual([span(1000, 3000), span(9000, 9000)]);
    expect(list({ source: "#7" })).toEqual([span(5, 5, { device: null })]);
  });
});
