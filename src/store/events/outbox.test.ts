import { afterEach, describe, expect, test } from "bun:test";
import { eventsPrunedAtOnce } from "../../base/limits/events.ts";
import { catalogKinds } from "../../testing/harness/catalogs.ts";
import type { Catalog } from "../streams/catalog.ts";
import type { EventOutbox } from "./outbox.ts";

const open: Disposable[] = [];
afterEach(() => {
  for (const each of open.splice(0).toReversed()) each[Symbol.dispose]();
});

function append(events: EventOutbox, count: number, at = 1_000): void {
  for (let n = 0; n < count; n += 1) {
    events.append({ type: "device.connected", subject: `devices/d${n}`, at, data: { deviceId: `d${n}` } });
  }
}

function idsOf(events: EventOutbox): number[] {
  return events.after(0, 1_000_000).map(({ id }) => id);
}

const noLimits = { maxEvents: 1_000_000, maxAgeMs: 1_000_000 };

/** The contract suite of `EventOutbox`. */
describe.each(catalogKinds)("an outbox $name", ({ create }) => {
  const make = (): Catalog => {
    const place = create();
    const catalog = place.open();
    open.push(place, { [Symbol.dispose]: () => catalog.close() });
    return catalog;
  };

  test("returns events in the order in which they were written, page by page", () => {
    const { events } = make();
    append(events, 3);
    const [first, second, third] = events.after(0, 10);
    expect(first).toEqual({
      id: first!.id,
      type: "device.connected",
      subject: "devices/d0",
      at: 1_000,
      data: '{"deviceId":"d0"}',
    });
    expect(events.after(first!.id, 1)).toEqual([second!]);
    expect(second!.id).toBeGreaterThan(first!.id);
    expect(events.after(third!.id, 10)).toEqual([]);
    expect(events.range()).toEqual({ oldest: first!.id, newest: third!.id });
  });

  test("finds where its last events begin, although ids have gaps", () => {
    const { events } = make();
    append(events, 2);
    events.startRun(5_000);
    append(events, 2);
    const [first, second] = idsOf(events);
    expect(events.beforeNewest(3)).toBe(first!);
    expect(events.beforeNewest(2)).toBe(second!);
    expect([events.beforeNewest(4), events.beforeNewest(100)]).toEqual([0, 0]);
  });

  test("loses an event whose transaction is rolled back, and no other", () => {
    const catalog = make();
    append(catalog.events, 1);
    const failing = () =>
      catalog.transaction(() => {
        append(catalog.events, 1);
        catalog.reserve("x", "k", 1);
        throw new Error("no");
      }, false);
    expect(failing).toThrow("no");
    expect(idsOf(catalog.events)).toHaveLength(1);
    expect(catalog.find("x")).toBeUndefined();
  });

  test("begins each run with ids above all that its clock has seen", () => {
    const { events } = make();
    events.startRun(1_700_000_000_000);
    append(events, 2);
    const ids = idsOf(events);
    expect(ids).toEqual([1_700_000_000_000_001, 1_700_000_000_000_002]);
    events.startRun(1_600_000_000_000);
    append(events, 1);
    expect(idsOf(events).at(-1)).toBe(1_700_000_000_000_003);
    expect(Number.isSafeInteger(Date.UTC(2255, 0) * 1000)).toBe(true);
  });

  test("removes the oldest events above the limit, some at a time", () => {
    const { events } = make();
    append(events, 10 + eventsPrunedAtOnce);
    const limits = { ...noLimits, maxEvents: 5 };
    expect(events.prune(limits, 1_000)).toBe(eventsPrunedAtOnce);
    append(events, 1);
    expect(events.prune(limits, 1_000)).toBe(6);
    expect(idsOf(events)).toHaveLength(5);
    expect(events.prune(limits, 1_000)).toBe(0);
    expect(events.range().newest).toBe(idsOf(events).at(-1)!);
  });

  test("removes events above the age, and never uses their ids again", () => {
    const { events } = make();
    append(events, 2, 1_000);
    append(events, 1, 2_000);
    const { newest } = events.range();
    expect(events.prune({ ...noLimits, maxAgeMs: 500 }, 2_000)).toBe(2);
    expect(events.after(0, 10).map(({ at }) => at)).toEqual([2_000]);
    expect(events.prune({ ...noLimits, maxAgeMs: 500 }, 9_000)).toBe(1);
    expect(events.range()).toEqual({ oldest: newest, newest });
    append(events, 1);
    expect(idsOf(events)).toEqual([newest + 1]);
  });

  test("calls its watcher after each append", () => {
    const { events } = make();
    let appended = 0;
    events.watch(() => (appended += 1));
    append(events, 3);
    expect(appended).toBe(3);
  });
});
