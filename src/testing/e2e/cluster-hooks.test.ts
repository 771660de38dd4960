/** Nodes that share a catalog in PostgreSQL, and are configured with the same webhooks and commands. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { scrape } from "../harness/http/exposition.ts";
import { HookReceiver } from "../harness/servers/hook-receiver.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const limitMs = 15_000;

interface ListedHook {
  node: string | null;
  deliversHere: boolean;
  dead: number;
  position: string;
}

let receiver: HookReceiver;
let catalog: string;
const nodes: TestServer[] = [];

beforeEach(() => {
  receiver = HookReceiver.open();
  catalog = postgresServer().createSchema();
});

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.dispose();
  receiver[Symbol.dispose]();
});

async function startNode(flags: Record<string, string> = {}): Promise<TestServer> {
  const hook = `test=${receiver.url} stream.*`;
  const server = await TestServer.start({
    flags: { catalog, hook, "hook-allow": "127.0.0.0/8", ...flags },
  });
  nodes.push(server);
  return server;
}

/** A stream is started and finished: two events of one subject. */
async function put({ httpBase }: TestServer, id: string): Promise<void> {
  const response = await fetch(`${httpBase}/api/streams/${id}/audio`, { method: "PUT", body: id });
  expect(response.status).toBe(201);
}

async function hookOf({ httpBase }: TestServer): Promise<ListedHook> {
  const response = await fetch(`${httpBase}/api/hooks`);
  return ((await response.json()) as { hooks: ListedHook[] }).hooks[0]!;
}

const delivers = async (node: TestServer) => (await hookOf(node)).deliversHere;

async function owned({ httpBase }: TestServer): Promise<number | undefined> {
  return (await scrape(httpBase))!.sum("wavecache_event_consumer_owned", { consumer: "hook/test" });
}

/** Each stream's two events came, and the first time in their order. */
function expectAll(ids: readonly string[]): void {
  for (const id of ids) {
    const types = receiver.delivered
      .filter(({ subject }) => subject === `streams/${id}`)
      .map(({ type }) => type);
    expect([...new Set(types)]).toEqual(["stream.started", "stream.finished"]);
  }
}

const hasAll = (ids: readonly string[]) => () =>
  ids.every((id) => receiver.has("stream.finished", `streams/${id}`));

describe.skipIf(postgresPrograms === undefined)("a webhook of two nodes", () => {
  test("gets each event once, from one of them, and from the other once that one has ended", async () => {
    const a = await startNode();
    const b = await startNode();
    expect([await delivers(a), await delivers(b)]).toEqual([true, false]);
    await put(a, "x1");
    await put(b, "x2");
    await until("their delivery", limitMs, hasAll(["x1", "x2"]));
    expect((await hookOf(b)).node).toBe((await hookOf(a)).node);
    expect([await owned(a), await owned(b)]).toEqual([1, 0]);
    await a.stop();
    await put(b, "x3");
    await until("the delivery by the other", limitMs, hasAll(["x3"]));
    expect(await delivers(b)).toBe(true);
    expect(receiver.delivered).toHaveLength(6);
    expectAll(["x1", "x2", "x3"]);
  });

  test("loses no event when its owner is killed, and gets those of a subject in their order", async () => {
    const a = await startNode();
    const b = await startNode();
    receiver.isDown = true;
    await put(a, "x1");
    await until("an attempt", limitMs, () => receiver.refused > 0);
    await a.kill9();
    receiver.isDown = false;
    await put(b, "x2");
    expect(await delivers(b)).toBe(false);
    postgresServer().expireLeases(catalog);
    await until("the delivery by the other", limitMs, hasAll(["x1", "x2"]));
    expectAll(["x1", "x2"]);
    await a.restart();
    expect(await delivers(a)).toBe(false);
  });

  test("gets nothing new from an owner that was frozen past its lease", async () => {
    const a = await startNode();
    const b = await startNode();
    await put(a, "x1");
    await until("the first delivery", limitMs, hasAll(["x1"]));
    receiver.holds = true;
    await put(a, "x2");
    await until("an attempt that hangs", limitMs, () => receiver.held > 0);
    process.kill(a.pid, "SIGSTOP");
    postgresServer().expireLeases(catalog);
    receiver.holds = false;
    await until("the takeover", limitMs, async () => await delivers(b));
    await put(b, "x3");
    await until("the delivery by the other", limitMs, hasAll(["x2", "x3"]));
    const before = receiver.delivered.length;
    // What hung is answered while its sender is frozen.
    receiver.releaseHeld();
    process.kill(a.pid, "SIGCONT");
    await until("that it has lost the webhook", limitMs, async () => {
      const { deliversHere, node } = await hookOf(a);
      return !deliversHere && node === (await hookOf(b)).node;
    });
    await put(b, "x4");
    await until("the next delivery", limitMs, hasAll(["x4"]));
    // The freeze was shorter than the lease that it knew of, so it may repeat what it had begun.
    const after = receiver.delivered.slice(before).map(({ subject }) => subject);
    expect(after.filter((subject) => subject !== "streams/x2")).toEqual(["streams/x4", "streams/x4"]);
    expectAll(["x1", "x2", "x3", "x4"]);
  }, 30_000);

  test("that is configured differently causes a warning, and the owner's configuration counts", async () => {
    const a = await startNode();
    const b = await startNode({ hook: `test=${receiver.url}other stream.*` });
    await b.untilLogged("configured otherwise");
    await put(b, "x1");
    await until("its delivery", limitMs, hasAll(["x1"]));
    expect(receiver.paths).toEqual(new Set(["/"]));
    expect(await delivers(a)).toBe(true);
  });
});

describe.skipIf(postgresPrograms === undefined)("a command of two nodes", () => {
  test("runs once for each event", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "out");
    writeFileSync(file, "");
    const script = `echo "$WAVECACHE_EVENT_TYPE $WAVECACHE_EVENT_SUBJECT" >> ${file}`;
    const flags = {
      "on-event": JSON.stringify(["/bin/sh", "-c", script]),
      "on-event-types": "stream.finished",
    };
    const a = await startNode(flags);
    const b = await startNode(flags);
    await put(a, "x1");
    await put(b, "x2");
    const ran = () =>
      existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean).toSorted() : [];
    await until("both runs", limitMs, () => ran().length >= 2);
    await a.stop();
    await put(b, "x3");
    await until("the run of the other", limitMs, () => ran().length >= 3);
    expect(ran()).toEqual(["x1", "x2", "x3"].map((id) => `stream.finished streams/${id}`));
  });
});
