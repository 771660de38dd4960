/** Peers that send line breaks and terminal sequences wherever they can: each line of the log stays one plain line. */
import { expect, test } from "bun:test";
import { rawHttp } from "../harness/http/raw-http.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const line = /^\S+Z [DIWEF] wavecache\.[\w-]+: ([ -~]*)$/;

/** Encoded for a path: line breaks, sequences of 7 and of 8 bits, separators, a null, broken UTF-8. */
const hostile = [
  "a%0aforged",
  "a%0d%0aforged",
  "%1b[31mforged",
  "%c2%9b31mforged",
  "%e2%80%a8forged",
  "%00",
  "%ff%fe",
];

test("text of peers reaches the log in fields alone, and escaped", async () => {
  await using server = await TestServer.start({ flags: { "log-level": "debug" } });
  for (const name of hostile) {
    using device = await RawWebSocket.open(server.url, { path: `/ws/${name}` });
    device.binary(Buffer.from("nonsense"));
    await device.ended;
    await fetch(`${server.httpBase}/live/${name}.wav`);
    await fetch(`${server.httpBase}/api/devices/${name}/play`, { method: "POST" });
  }
  using peer = await RawWebSocket.open(server.url, { headers: { "User-Agent": "forged\tagent" } });
  const requests = ["forged\n", "\u001b[31mforged", "forged\u2028", "\u009b31mforged"];
  for (const streamId of requests) peer.text(JSON.stringify({ type: "START", streamId }));
  peer.text('forged\n{"type":"STOP"}');
  const port = Number(new URL(server.url).port);
  await rawHttp(port, "GET / HTTP/1.1\r\nHost: forged\t\x7f\r\n\r\n");
  await rawHttp(port, "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: forged\x9b\x7f\r\n\r\n");
  // The last request of the peer is in the log.
  await until("the refusals", 10_000, () => server.log.split("request=").length > requests.length);
  expect(await server.stop()).toBe(0);
  const lines = server.log.trimEnd().split("\n");
  for (const text of lines) {
    const message = line.exec(text)?.[1];
    expect(message, JSON.stringify(text)).toBeDefined();
    // Fields begin with the first "=".
    expect(message!.slice(0, message!.indexOf("="))).not.toContain("forged");
  }
  expect(lines.filter((text) => text.includes("forged")).length).toBeGreaterThan(hostile.length);
});

test("a start that fails quotes values without what a terminal obeys", async () => {
  const { stderr } = await runServerToExit(["--port", "1\n2\u001b[31m\u009b"]);
  expect(stderr).toMatch(/^[ -~]+\n$/);
});
