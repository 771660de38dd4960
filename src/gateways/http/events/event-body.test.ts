import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { maxEventsBehind } from "../../../base/limits/events.ts";
import { cloudEvent } from "../../../engine/events/cloud-event.ts";
import { EventLog } from "../../../engine/events/event-log.ts";
import { EventReader } from "../../../engine/events/event-reader.ts";
import { MemoryLog } from "../../../testing/harness/servers/device-gateway.ts";
import { EventKeeper } from "../../../testing/mocks/event-keeper.ts";
import { EventBody } from "./event-body.ts";

let keeper: EventKeeper;
let log: EventLog;
let closed: number;

beforeEach(async () => {
  keeper = new EventKeeper();
  closed = 0;
  log = new EventLog(keeper, { maxEvents: 1_000_000 }, new MemoryLog());
  await log.open();
});

afterEach(async () => {
  await log.close();
  keeper.catalog.close();
});

const onClose = () => void (closed += 1);

function bodyAfter(position: number, follows = true): EventBody {
  const reader = new EventReader(log, position, () => true);
  const connection = { keepOpen: () => undefined, setIdleSeconds: () => undefined };
  return new EventBody({
    reader,
    connection,
    newest: () => log.newest,
    follows,
    format: cloudEvent,
    onClose,
  });
}

async function textOf(body: EventBody): Promise<string | undefined> {
  const bytes = await body.next();
  return bytes && new TextDecoder().decode(bytes);
}

describe("a body of server-sent events", () => {
  test("begins at once, and has each event with its id and type as a CloudEvent", async () => {
    const body = bodyAfter(0);
    expect(await textOf(body)).toBe(": connected\n\n");
    keeper.appendMany(1);
    const [id, type, data] = (await textOf(body))!.split("\n");
    const newest = keeper.catalog.events.range().newest;
    expect([id, type]).toEqual([`id: ${newest}`, "event: device.connected"]);
    expect(JSON.parse(data!.slice("data: ".length))).toMatchObject({
      specversion: "1.0",
      id: String(newest),
      type: "device.connected",
      subject: "devices/d0",
      data: { deviceId: "d0" },
    });
    body.close();
    expect([await textOf(body), closed]).toEqual([undefined, 1]);
  });

  test("ends after the events that there are, if it does not follow", async () => {
    keeper.appendMany(3);
    const body = bodyAfter(0, false);
    await body.next();
    expect((await textOf(body))!.match(/^id: /gm)).toHaveLength(3);
    expect(await textOf(body)).toBeUndefined();
    body.close();
  });

  test("says where events are missing", async () => {
    keeper.appendMany(10);
    const first = keeper.catalog.events.after(0, 1)[0]!.id;
    keeper.catalog.events.prune({ maxEvents: 2, maxAgeMs: 1e9 }, Date.now());
    const body = bodyAfter(first);
    await body.next();
    const text = (await textOf(body))!;
    expect(text).toStartWith("event: gap\ndata: {}\n\nid: ");
    expect(text.match(/^id: /gm)).toHaveLength(2);
    body.close();
  });

  test("cuts off a client that was live and falls behind, and tells where it can continue", async () => {
    keeper.appendMany(1);
    const body = bodyAfter(0);
    await body.next();
    await body.next();
    const position = keeper.catalog.events.range().newest;
    keeper.appendMany(maxEventsBehind + 1);
    expect(await textOf(body)).toBe(`event: cut-off\ndata: {"lastEventId":"${position}"}\n\n`);
    expect([await textOf(body), closed]).toEqual([undefined, 1]);
  });

  test("never cuts off a client that replays old events", async () => {
    keeper.appendMany(maxEventsBehind + 500);
    const body = bodyAfter(0);
    let events = 0;
    while (events < maxEventsBehind + 500) events += (await textOf(body))!.match(/^id: /gm)?.length ?? 0;
    expect(events).toBe(maxEventsBehind + 500);
    body.close();
  });
});
