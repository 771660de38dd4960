import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { maxOpenDeliveries } from "../../../base/limits/events.ts";
import type { ConsumerClaim } from "../../../store/events/claims.ts";
import type { EventRow } from "../../../store/events/outbox.ts";
import { MemoryLog } from "../../../testing/harness/servers/device-gateway.ts";
import { until } from "../../../testing/harness/until.ts";
import { deviceEvent, EventKeeper } from "../../../testing/mocks/event-keeper.ts";
import { EventFilter } from "../event-filter.ts";
import { EventLog } from "../event-log.ts";
import { ConsumerClaims } from "./consumer-claims.ts";
import { Deliveries } from "./deliveries.ts";
import type { RetryPolicy } from "./delivery-run.ts";

let keeper: EventKeeper;
let log: EventLog;
let claims: ConsumerClaims;
/** What the receiver took, in order. */
let got: string[];
/** What the receiver does with an event. */
let receive: (event: EventRow) => Promise<void>;
const open: Deliveries[] = [];

const quick: RetryPolicy = { firstMs: 1, maxMs: 20, giveUpMs: 60_000 };

beforeEach(async () => {
  keeper = new EventKeeper();
  log = new EventLog(keeper, { maxEvents: 100_000 }, new MemoryLog());
  await log.open();
  claims = new ConsumerClaims(keeper, new MemoryLog());
  got = [];
  receive = () => Promise.resolve();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  await log.close();
  keeper.catalog.close();
});

async function deliver(event: EventRow): Promise<void> {
  await receive(event);
  got.push(event.subject);
}

async function start(retry: RetryPolicy = quick, types = ""): Promise<Deliveries> {
  const filter = new EventFilter(types);
  const settings = { consumer: "hook/a", config: () => "", filter, retry, deliver };
  const deliveries = new Deliveries({ events: log, keeper, claims }, settings, new MemoryLog());
  await deliveries.open();
  open.push(deliveries);
  return deliveries;
}

/** What the catalog knows of the consumer. */
function claimOf({ epoch }: Deliveries): ConsumerClaim {
  return keeper.catalog.claims.claim([{ consumer: "hook/a", config: "", epoch }], 0)[0]!;
}

function append(...devices: string[]): void {
  keeper.append(devices.map(deviceEvent));
}

describe("deliveries", () => {
  test("of a new consumer begin with what happens after its start, and continue after a restart", async () => {
    append("old");
    const first = await start();
    append("a");
    await until("a is delivered", 5_000, () => got.length === 1);
    await first.close();
    append("b");
    await start();
    await until("b is delivered", 5_000, () => got.length === 2);
    expect(got).toEqual(["devices/a", "devices/b"]);
  });

  test("are only of the events that the filter wants", async () => {
    await start(quick, "device.lost");
    append("a");
    const lost = { ...deviceEvent("b"), type: "device.lost" } as const;
    keeper.append([lost]);
    await until("one is delivered", 5_000, () => got.length === 1);
    expect(got).toEqual(["devices/b"]);
  });

  test("of a subject stay in their order through failures, and other subjects do not wait", async () => {
    let failures = 3;
    const ids: number[] = [];
    receive = async ({ id, subject }) => {
      if (subject === "devices/a" && failures-- > 0) throw new Error("500");
      if (subject === "devices/a") ids.push(id);
    };
    const deliveries = await start({ ...quick, firstMs: 30 });
    append("a", "a", "b", "a");
    await until("all are delivered", 5_000, () => got.length === 4);
    expect(got).toEqual(["devices/b", "devices/a", "devices/a", "devices/a"]);
    expect(ids).toEqual(ids.toSorted((x, y) => x - y));
    expect(deliveries.figures).toMatchObject({ delivered: 4, failed: 3, dead: 0 });
  });

  test("to a receiver that answers too late are repeated, and the next of the subject waits for an answer in time", async () => {
    const tries: number[] = [];
    const late = Promise.withResolvers<void>();
    receive = ({ id }) => {
      tries.push(id);
      if (tries.length > 2) return Promise.resolve();
      // What the receiver says after the limit is ignored by whoever sends.
      return Promise.race([late.promise, Bun.sleep(20).then(() => Promise.reject(new Error("too late")))]);
    };
    const deliveries = await start();
    append("a", "a");
    await until("the first has failed twice", 5_000, () => deliveries.figures.failed === 2);
    late.resolve();
    await until("both are delivered", 5_000, () => got.length === 2);
    const [first, second] = [tries[0]!, tries.at(-1)!];
    expect(second).toBeGreaterThan(first);
    expect(tries).toEqual([first, first, first, second]);
    expect(deliveries.figures).toMatchObject({ delivered: 2, failed: 2, dead: 0 });
  });

  test("that failed are delivered by the next run, before what waits behind them", async () => {
    receive = () => Promise.reject(new Error("down"));
    const first = await start({ ...quick, firstMs: 600_000, maxMs: 600_000 });
    append("a", "b", "a");
    await until("both have failed", 5_000, () => first.figures.failed === 2);
    await first.close();
    expect(keeper.catalog.deliveries.rows("hook/a", false, 10)).toHaveLength(3);
    const { position, epoch } = claimOf(first);
    expect(position).toBe(log.newest);
    const changed = keeper.catalog.deliveries.rows("hook/a", false, 10);
    for (const row of changed) row.nextAt = 0;
    keeper.catalog.deliveries.save({ consumer: "hook/a", epoch, position, changed, done: [] }, 10);
    receive = () => Promise.resolve();
    append("a");
    await start();
    await until("all are delivered", 5_000, () => got.length === 4);
    expect(got.filter((subject) => subject === "devices/a")).toHaveLength(3);
    await until("nothing is left", 5_000, () => {
      return keeper.catalog.deliveries.rows("hook/a", false, 10).length === 0;
    });
  });

  test("that fail for too long are given up, do not block their subject, and can be replayed", async () => {
    let isBroken = true;
    let seen = 0;
    receive = async ({ subject }) => {
      if (subject === "devices/a" && isBroken && (seen += 1) < 4) throw new Error("no");
    };
    const deliveries = await start({ firstMs: 1, maxMs: 5, giveUpMs: 2 });
    append("a");
    await until("it is given up", 5_000, () => deliveries.figures.dead === 1);
    isBroken = false;
    append("a");
    await until("the next one is delivered", 5_000, () => got.length === 1);
    const dead = await until("it is in the list", 5_000, () => {
      const rows = keeper.catalog.deliveries.rows("hook/a", true, 10);
      return rows.length === 1 ? rows : undefined;
    });
    expect(dead[0]).toMatchObject({ subject: "devices/a", error: "no", isDead: true });
    keeper.catalog.deliveries.revive("hook/a", dead[0]!.id);
    await claims.look();
    await until("it is delivered", 5_000, () => got.length === 2);
    await until("the list is empty", 5_000, () => {
      return keeper.catalog.deliveries.rows("hook/a", true, 10).length === 0;
    });
  });

  test("that were under way at a crash are repeated, and none is lost", async () => {
    receive = ({ subject }) => (subject === "devices/b" ? new Promise(() => undefined) : Promise.resolve());
    const first = await start();
    append("a", "b", "c");
    await until("two are delivered", 5_000, () => got.length === 2);
    const before = log.newest - 3;
    await until("its state is saved", 5_000, () => claimOf(first).position === before + 1);
    await first.close();
    receive = () => Promise.resolve();
    await start();
    await until("the rest is delivered", 5_000, () => got.length === 4);
    expect(got.slice(2)).toEqual(["devices/b", "devices/c"]);
  });

  test("wait in the outbox while too many are open", async () => {
    receive = () => Promise.reject(new Error("down"));
    const deliveries = await start({ ...quick, firstMs: 600_000, maxMs: 600_000 });
    keeper.appendMany(3 * maxOpenDeliveries);
    await until("it has read enough", 5_000, () => deliveries.pending >= maxOpenDeliveries);
    await Bun.sleep(50);
    expect(deliveries.pending).toBeLessThan(2 * maxOpenDeliveries);
  });

  test("all become due once a consumer that was down is back", async () => {
    let isDown = true;
    receive = () => (isDown ? Promise.reject(new Error("down")) : Promise.resolve());
    const deliveries = await start({ firstMs: 600_000, maxMs: 600_000, giveUpMs: 1e9 });
    append("a", "b", "c", "d");
    await until("all have failed", 5_000, () => deliveries.figures.failed === 4);
    isDown = false;
    append("e");
    await until("all are delivered", 5_000, () => got.length === 5);
  });
});

describe("deliveries to a consumer that several nodes have", () => {
  test("begin only while the claim is known to hold", async () => {
    const deliveries = await start();
    append("a");
    await until("a is delivered", 5_000, () => got.length === 1);
    keeper.leaseMs = 0;
    await claims.look();
    append("b");
    await until("b is read", 5_000, () => deliveries.pending === 1);
    await Bun.sleep(20);
    expect(got).toEqual(["devices/a"]);
    keeper.leaseMs = 60_000;
    await claims.look();
    await until("b is delivered", 5_000, () => got.length === 2);
  });

  test("end once another node owns it, and continue after it from what that one has left", async () => {
    const deliveries = await start();
    append("a");
    await until("that a is delivered is saved", 5_000, () => claimOf(deliveries).position === log.newest);
    keeper.isOwnedElsewhere = true;
    append("b");
    await until("the catalog refuses its state", 5_000, () => deliveries.epoch === 0);
    expect(deliveries).toMatchObject({ owner: "other", pending: 0 });
    append("c");
    await claims.look();
    expect(got).toEqual(["devices/a", "devices/b"]);
    keeper.isOwnedElsewhere = false;
    await claims.look();
    await until("the rest is delivered", 5_000, () => got.length >= 4);
    expect(got).toEqual(["devices/a", "devices/b", "devices/b", "devices/c"]);
  });

  test("wait no longer than their delay, if the clock of the node before was ahead", async () => {
    let isDown = true;
    receive = () => (isDown ? Promise.reject(new Error("down")) : Promise.resolve());
    const first = await start({ ...quick, firstMs: 600_000, maxMs: 600_000 });
    append("a");
    await until("it has failed", 5_000, () => first.figures.failed === 1);
    await first.close();
    isDown = false;
    await start();
    await until("a is delivered", 5_000, () => got.length === 1);
  });

  test("are tried again at the next look, if the catalog fails", async () => {
    keeper.failures = 1;
    const deliveries = await start();
    expect(deliveries.epoch).toBe(0);
    keeper.failures = 2;
    await claims.look();
    await claims.look();
    expect(deliveries.epoch).toBe(0);
    await claims.look();
    append("a");
    await until("a is delivered", 5_000, () => got.length === 1);
  });
});
