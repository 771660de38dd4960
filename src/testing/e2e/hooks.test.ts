/** Webhooks and commands of the real server. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { EventStreamPeer } from "../harness/peers/event-stream.ts";
import { runClient } from "../harness/client-process.ts";
import { scrape } from "../harness/http/exposition.ts";
import { removeStream } from "../harness/http/streams.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

interface Delivered {
  id: string;
  type: string;
  subject: string;
}

/** A receiver in a process of its own, which can be killed and started again on its port. */
class HookReceiver implements Disposable {
  readonly file: string;
  port = 0;
  #process: Bun.Subprocess<"ignore", "pipe", "inherit"> | undefined;

  constructor(folder: string) {
    this.file = join(folder, "delivered");
    writeFileSync(this.file, "");
  }

  async start(): Promise<void> {
    const entry = join(import.meta.dir, "../mocks/hook-receiver.ts");
    const command = [process.execPath, entry, String(this.port), this.file];
    const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    this.#process = child;
    const { value } = await child.stdout.getReader().read();
    this.port = Number(new TextDecoder().decode(value));
  }

  async kill9(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  get delivered(): Delivered[] {
    const lines = readFileSync(this.file, "utf8").split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Delivered);
  }

  [Symbol.dispose](): void {
    this.#process?.kill("SIGKILL");
  }
}

/** Starts, finishes and removes a stream of this id. */
async function useStream(server: TestServer, id: string): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, new Uint8Array(100));
  await removeStream(server.httpBase, id);
}

describe("a webhook", () => {
  test("gets every fact at least once and in order, through kill -9 of the server and of the receiver", async () => {
    using folder = temporaryFolder();
    using receiver = new HookReceiver(folder.path);
    await receiver.start();
    const hook = `test=http://127.0.0.1:${receiver.port}/ stream.*`;
    await using server = await TestServer.start({ flags: { hook, "hook-allow": "127.0.0.0/8" } });
    const ids = [freshId("hook"), freshId("hook")];
    for (let round = 0; round < 4; round += 1) {
      for (const id of ids) await useStream(server, id);
      if (round === 1) await receiver.kill9();
      if (round === 3) break;
      await server.kill9();
      await server.restart();
      if (round === 2) await receiver.start();
    }
    using all = await EventStreamPeer.open(server.httpBase, "after=0&type=stream.*");
    const facts = await all.take(4 * 2 * 3);
    await until("the last fact is delivered", 15_000, () => {
      const got = new Set(receiver.delivered.map(({ id }) => id));
      return facts.every(({ id }) => got.has(id));
    });
    const known = new Map(facts.map(({ id, type, subject }) => [id, `${type} ${subject}`]));
    for (const { id, type, subject } of receiver.delivered) expect(known.get(id)).toBe(`${type} ${subject}`);
    for (const id of ids) {
      // Without the repetitions the ids grow.
      const firsts = new Set(receiver.delivered.filter((each) => each.subject.endsWith(id)).map((e) => e.id));
      expect([...firsts]).toEqual([...firsts].toSorted());
      expect(firsts.size).toBe(12);
    }
  });

  test("is listed with its state, and can be tried", async () => {
    using folder = temporaryFolder();
    using receiver = new HookReceiver(folder.path);
    await receiver.start();
    const hook = `a=http://127.0.0.1:${receiver.port}/?key=secret; b=http://127.0.0.1:1/x stream.* streams/b-*`;
    await using server = await TestServer.start({ flags: { hook, "hook-allow": "127.0.0.1" } });
    const post = async (path: string) => {
      const response = await fetch(`${server.httpBase}/api/hooks/${path}`, { method: "POST" });
      return (await response.json()) as unknown;
    };
    expect(await post("a/test")).toEqual({ delivered: true, error: null });
    expect(await post("b/test")).toMatchObject({ delivered: false, error: expect.any(String) });
    expect(await post("b/replay")).toEqual({ replayed: 0 });
    await until("the start is delivered", 10_000, () => receiver.delivered.length >= 2);
    const text = await (await fetch(`${server.httpBase}/api/hooks`)).text();
    expect(text).not.toContain("secret");
    const hooks = {
      a: { delivered: 1, pending: 0, node: null, deliversHere: true },
      b: { types: "stream.*", subjects: "streams/b-*" },
    };
    const listed = (JSON.parse(text) as { hooks: { name: string }[] }).hooks;
    expect(Object.fromEntries(listed.map((each) => [each.name, each]))).toMatchObject(hooks);
    const client = async (...args: string[]) => await runClient(["hooks", ...args, "-s", server.httpBase]);
    expect((await client("list")).out).toMatch(/^a +http:\/\/127\.0\.0\.1:\d+\/ +1 +0 +0 +0 +- +here$/m);
    expect(await client("test", "a")).toMatchObject({ out: "delivered\n", code: 0 });
    expect(await client("test", "b")).toMatchObject({
      code: 1,
      err: expect.stringContaining("not delivered"),
    });
    expect(await client("replay", "b")).toMatchObject({ out: "0 events to deliver again\n", code: 0 });
    expect((await client("failed", "b")).out).toStartWith("ID ");
    expect((await client("failed", "none")).err).toContain("no such webhook");
    const metrics = (await scrape(server.httpBase))!;
    const delivered = { hook: "a", result: "delivered" };
    expect(metrics.sum("wavecache_hook_deliveries_total", delivered)).toBe(1);
    expect(existsSync(join(server.cacheDir, "hook-secret"))).toBe(true);
  });
});

test("a command runs for each event", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "out");
  const script = `echo "$WAVECACHE_EVENT_TYPE $WAVECACHE_EVENT_SUBJECT" >> ${file}`;
  const command = JSON.stringify(["/bin/sh", "-c", script]);
  await using server = await TestServer.start({
    flags: { "on-event": command, "on-event-types": "stream.*" },
  });
  const id = freshId("command");
  await useStream(server, id);
  const expected = ["started", "finished", "removed"].map((what) => `stream.${what} streams/${id}`);
  await until("three runs", 10_000, () => {
    return existsSync(file) && readFileSync(file, "utf8") === `${expected.join("\n")}\n`;
  });
});
