import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../base/log/log.ts";
import { maxBusBacklogBytes } from "../base/limits/bus.ts";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { hasNatsServer, NatsServer } from "../testing/harness/servers/nats-server.ts";
import { testLimitMs, until } from "../testing/harness/until.ts";
import { subjectToken } from "./bus.ts";
import { NatsBus } from "./nats-bus.ts";

setDefaultTimeout(testLimitMs);

const limitMs = 20_000;
const text = (value: string) => new TextEncoder().encode(value);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("a token of a subject has no characters that mean something", () => {
  expect(subjectToken("kitchen-2_b")).toBe("kitchen-2_b");
  expect(subjectToken("a.b * >küche!")).toBe("a%2eb%20%2a%20%3Ek%C3%BCche%21");
});

async function openBus(server: NatsServer, credentialsFile?: string): Promise<NatsBus & AsyncDisposable> {
  const settings = { servers: [server.url], credentialsFile, prefix: "test.one" };
  const bus = await NatsBus.open(settings, openLog("nats"));
  return Object.assign(bus, { [Symbol.asyncDispose]: () => bus.close() });
}

const untilConnected = (...buses: NatsBus[]) =>
  until("connections", limitMs, () => buses.every(({ isConnected }) => isConnected));

describe.skipIf(!hasNatsServer)("the bus over NATS", () => {
  test("delivers to other nodes, and never to its own", async () => {
    await using server = await NatsServer.start();
    await using one = await openBus(server);
    await using other = await openBus(server);
    const heard: string[] = [];
    one.subscribe("news", ({ payload }) => heard.push(`one ${textOf(payload)}`));
    const leave = other.subscribe("news", ({ payload }) => heard.push(`other ${textOf(payload)}`));
    await untilConnected(one, other);
    await until("the subscription", limitMs, () => one.publish("news", text("a")) && heard.length > 0);
    expect(new Set(heard)).toEqual(new Set(["other a"]));
    leave();
    await until("the end of the subscription", limitMs, async () => {
      const before = heard.length;
      one.publish("news", text("b"));
      // A round trip over the same connections is later than the message.
      await one.request("nobody", text(""));
      await other.request("nobody", text(""));
      return heard.length === before;
    });
  });

  test("asks, and knows at once that nobody is there", async () => {
    await using server = await NatsServer.start();
    await using one = await openBus(server);
    await using other = await openBus(server);
    other.subscribe("echo", (message) => message.respond(message.payload));
    await untilConnected(one, other);
    const answer = await until("an answer", limitMs, () => one.request("echo", text("hello")));
    expect(textOf(answer)).toBe("hello");
    expect(await one.request("nobody", text(""))).toBeUndefined();
    // Its own subscriptions do not count.
    expect(await other.request("echo", text(""))).toBeUndefined();
  });

  test("drops what is published without a connection, and comes back by itself with its subscriptions", async () => {
    await using server = await NatsServer.start();
    await using one = await openBus(server);
    await using other = await openBus(server);
    const heard: string[] = [];
    other.subscribe("news", ({ payload }) => heard.push(textOf(payload)));
    await untilConnected(one, other);
    await server.kill9();
    await until("the loss", limitMs, () => !one.isConnected && !other.isConnected);
    expect(one.publish("news", text("lost"))).toBe(false);
    expect(one.figures.dropped).toBe(1);
    const refusal = await one.request("news", text("")).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: "NODE_UNREACHABLE" });
    await server.restart();
    await untilConnected(one, other);
    await until("a message", limitMs, () => one.publish("news", text("again")) && heard.length > 0);
    expect(new Set(heard)).toEqual(new Set(["again"]));
    expect(one.figures.connects).toBe(2);
  });

  test("notices a server that freezes, and keeps no more than the limit for it", async () => {
    await using server = await NatsServer.start();
    await using one = await openBus(server);
    await untilConnected(one);
    server.freeze();
    const message = new Uint8Array(256 * 1024);
    let sent = 0;
    while (one.publish("news", message)) sent += message.length;
    expect(sent).toBeLessThanOrEqual(maxBusBacklogBytes);
    await until("the loss", limitMs, () => !one.isConnected);
    server.thaw();
    await untilConnected(one);
    expect(one.publish("news", message)).toBe(true);
  });

  test("requests and answers that have arrived do not count as waiting", async () => {
    await using server = await NatsServer.start();
    await using one = await openBus(server);
    await using other = await openBus(server);
    other.subscribe("echo", (message) => message.respond(message.payload));
    await untilConnected(one, other);
    await until("an answer", limitMs, () => one.request("echo", text("")));
    const message = new Uint8Array(256 * 1024);
    for (let sent = 0; sent <= maxBusBacklogBytes; sent += message.length) await one.request("echo", message);
    expect(one.publish("news", message)).toBe(true);
    expect(other.publish("news", message)).toBe(true);
  });

  test("drops what is longer than the server takes, and goes on", async () => {
    await using server = await NatsServer.start();
    await using one = await openBus(server);
    await using other = await openBus(server);
    const tooLong = new Uint8Array(2 * 1024 * 1024);
    other.subscribe("long", (message) => message.respond(tooLong));
    other.subscribe("echo", (message) => message.respond(message.payload));
    await untilConnected(one, other);
    await until("an answer", limitMs, () => one.request("echo", text("hello")));
    expect(one.publish("news", tooLong)).toBe(false);
    expect(await one.request("long", text(""), 300).catch((error: unknown) => error)).toMatchObject({
      code: "NODE_UNREACHABLE",
    });
    expect([one.figures.dropped, other.figures.dropped]).toEqual([1, 1]);
    expect(textOf((await one.request("echo", text("again")))!)).toBe("again");
  });

  test("starts before the server does", async () => {
    await using server = await NatsServer.start();
    await server.kill9();
    await using one = await openBus(server);
    expect(one.isConnected).toBe(false);
    await server.restart();
    await untilConnected(one);
  });

  test("says who it is", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "nats");
    writeFileSync(file, "node:secret\n", { mode: 0o600 });
    await using server = await NatsServer.start(["--user", "node", "--pass", "secret"]);
    await using refused = await openBus(server);
    await using one = await openBus(server, file);
    await untilConnected(one);
    expect(refused.isConnected).toBe(false);
    const missing = await openBus(server, `${file}-missing`).catch((error: unknown) => error);
    expect(missing).toMatchObject({ code: "CREDENTIALS_UNUSABLE" });
  });
});
