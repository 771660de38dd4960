import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { eventPageLength, maxUnwrittenEvents, recentEvents } from "../../base/limits/events.ts";
import { EventKeeper } from "../../testing/mocks/event-keeper.ts";
import { MemoryLog } from "../../testing/harness/servers/device-gateway.ts";
import { until } from "../../testing/harness/until.ts";
import { EventLog } from "./event-log.ts";

const maxEvents = 15_000;
let keeper: EventKeeper;
let log: EventLog;

beforeEach(async () => {
  keeper = new EventKeeper();
  log = new EventLog(keeper, { maxEvents }, new MemoryLog());
  await log.open();
});

afterEach(async () => {
  await log.close();
  keeper.catalog.close();
});

function subjects(): string[] {
  return keeper.catalog.events.after(0, 1_000_000).map(({ subject }) => subject);
}

/** Reads everything after this id, as a reader does. */
async function readAll(after: number): Promise<number[]> {
  const ids: number[] = [];
  for (let last = after; ; last = ids.at(-1)!) {
    const { events } = await log.page(last);
    if (events.length === 0) return ids;
    ids.push(...events.map(({ id }) => id));
  }
}

describe("facts without a transaction of their own", () => {
  test("are written together, in their order", async () => {
    for (const deviceId of ["a", "b", "c"]) log.add("device.connected", `devices/${deviceId}`, { deviceId });
    expect(subjects()).toEqual([]);
    await log.flush();
    expect(subjects()).toEqual(["devices/a", "devices/b", "devices/c"]);
    expect(keeper.calls.filter((call) => call === "appendEvents")).toHaveLength(1);
  });

  test("are written soon without a flush", async () => {
    log.add("device.lost", "devices/a", { deviceId: "a" });
    await until("it is written", 5_000, () => subjects().length === 1);
  });

  test("are written again, before later ones, if the keeper fails", async () => {
    keeper.failures = 1;
    log.add("device.connected", "devices/a", { deviceId: "a" });
    await log.flush();
    log.add("device.lost", "devices/a", { deviceId: "a" });
    await log.flush();
    const types = keeper.catalog.events.after(0, 10).map(({ type }) => type);
    expect(types).toEqual(["device.connected", "device.lost"]);
  });

  test("are bounded: the oldest is dropped and counted", async () => {
    for (let n = 0; n < maxUnwrittenEvents + 2; n += 1)
      log.add("device.connected", `devices/${n}`, { deviceId: `${n}` });
    expect(log.dropped).toBe(2);
    await log.flush();
    expect(subjects()[0]).toBe("devices/2");
  });
});

describe("a reader", () => {
  test("gets every event once, from the outbox and from memory alike", async () => {
    keeper.appendMany(eventPageLength + 10);
    let notified = 0;
    const unwatch = log.watch(() => (notified += 1));
    keeper.appendMany(1);
    await until("it is in memory", 5_000, () => notified > 0);
    keeper.appendMany(700);
    await until("they are in memory", 5_000, () => notified >= 3);
    const ids = await readAll(0);
    expect(ids).toEqual(keeper.catalog.events.after(0, 10_000).map(({ id }) => id));
    const before = keeper.calls.length;
    expect(await readAll(ids.at(-20)!)).toEqual(ids.slice(-19));
    expect(keeper.calls.length).toBe(before);
    unwatch();
  });

  test("is notified of new events after an announcement of events that are in memory", async () => {
    let notified = 0;
    const unwatch = log.watch(() => (notified += 1));
    keeper.appendMany(1);
    await until("it is notified", 5_000, () => notified === 1);
    keeper.announce();
    await Bun.sleep(0);
    keeper.appendMany(1);
    await until("it is notified again", 5_000, () => notified === 2);
    unwatch();
  });

  test("is notified again after a read that failed", async () => {
    let notified = 0;
    const unwatch = log.watch(() => (notified += 1));
    keeper.failures = 2;
    keeper.appendMany(1);
    await until("it is notified", 5_000, () => notified > 0);
    unwatch();
  });

  test("keeps a bounded number of events in memory, and none without a watcher", async () => {
    const unwatch = log.watch(() => undefined);
    keeper.appendMany(1);
    await until("it reads", 5_000, () => keeper.calls.includes("eventsAfter"));
    keeper.appendMany(recentEvents + 100);
    const ids = await until("all are read", 5_000, async () => {
      const all = await readAll(0);
      return all.length === recentEvents + 101 ? all : undefined;
    });
    expect(new Set(ids).size).toBe(ids.length);
    unwatch();
    const before = keeper.calls.length;
    await log.page(ids.at(-2)!);
    expect(keeper.calls.length).toBe(before + 1);
  });

  test("learns that the outbox has lost events that it asks for", async () => {
    keeper.appendMany(10);
    const ids = await readAll(0);
    expect((await log.page(ids[0]!)).hasGap).toBe(false);
    keeper.catalog.events.prune({ maxEvents: 4, maxAgeMs: 1e9 }, Date.now());
    expect(await log.page(ids[0]!)).toMatchObject({ hasGap: true });
    expect((await log.page(ids[6]!)).hasGap).toBe(false);
    expect((await log.page(0)).hasGap).toBe(false);
    // Ids that no event ever had: a run of the store began in between.
    keeper.catalog.events.startRun(Date.now() + 1_000);
    keeper.appendMany(1);
    expect(await log.page(ids[9]!)).toMatchObject({ hasGap: false, events: [{ subject: "devices/d0" }] });
  });
});

test("events above the limit are removed while new ones come", async () => {
  keeper.appendMany(maxEvents + 5_000);
  await until("they are pruned", 5_000, () => subjects().length === maxEvents);
});
