/** One id ties together the lines that the log has of an upload, whichever way it comes. */
import { expect, test } from "bun:test";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

const shortId = /^[\da-f]{6}-[\da-z]+$/;

interface Line {
  logger: string;
  message: string;
  fields: Record<string, unknown>;
}

async function startVerbose(): Promise<TestServer> {
  return await TestServer.start({ flags: { "log-level": "debug", "log-format": "json" } });
}

/** The lines of one request or connection, by their messages. */
function linesOf(server: TestServer, requestId: string): Map<string, Line> {
  const lines = server.stdout
    .split("\n")
    .filter((line) => line.includes(requestId))
    .map((line): Line => JSON.parse(line));
  return new Map(
    lines.filter(({ fields }) => fields["requestId"] === requestId).map((line) => [line.message, line]),
  );
}

test("an upload over HTTP has the caller's id in its answer and in each line of it", async () => {
  await using server = await startVerbose();
  const requestId = "tour-7.Berlin";
  const path = "/api/streams/ids/audio?token=not-for-the-log";
  const answer = await fetch(`${server.httpBase}${path}`, {
    method: "PUT",
    body: new Uint8Array(1000),
    headers: { "x-request-id": requestId },
  });
  expect(answer.headers.get("x-request-id")).toBe(requestId);
  await server.untilLogged(/answered.*tour-7/);
  const lines = linesOf(server, requestId);
  expect([...lines.keys()]).toEqual(["an upload begins", "an upload is stored", "answered"]);
  expect(lines.get("an upload is stored")!.fields).toMatchObject({ streamId: "ids", size: 1000 });
  const { logger, fields } = lines.get("answered")!;
  expect(logger).toBe("wavecache.http");
  expect(fields).toMatchObject({ method: "PUT", path: "/api/streams/ids/audio", status: answer.status });
  expect(server.log).not.toContain("not-for-the-log");
});

test("a request has an id of its own where the caller sends none, or one that is unfit", async () => {
  await using server = await startVerbose();
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const idFor = async (headers: Record<string, string>) =>
    (await fetch(`${server.httpBase}/api/streams`, { headers })).headers.get("x-request-id");
  const own = [await idFor({}), await idFor({ "x-request-id": 'a" level=error' })];
  for (const id of own) expect(id).toMatch(shortId);
  expect(new Set(own).size).toBe(2);
  expect(await idFor({ traceparent: `00-${traceId}-00f067aa0ba902b7-01` })).toBe(traceId);
  const refused = await fetch(`${server.httpBase}/api/nothing`);
  expect(refused.headers.get("x-request-id")).toMatch(shortId);
});

test("a connection of the audio cache has one id: in its handshake, and in the lines of its uploads", async () => {
  await using server = await startVerbose();
  using peer = await AudioCachePeer.open(server.url);
  const requestId = peer.socket.response.headers.get("x-request-id")!;
  expect(requestId).toMatch(shortId);
  const streamId = freshId("ids");
  await peer.start(streamId);
  using other = await AudioCachePeer.open(server.url);
  await other.resume(streamId);
  await server.untilLogged("an upload ended unfinished");
  const lines = linesOf(server, requestId);
  expect([...lines.keys()]).toEqual(["an upload begins", "an upload failed", "an upload ended unfinished"]);
  expect(lines.get("an upload failed")!.fields).toMatchObject({ streamId, code: "STREAM_TAKEN_OVER" });
});

test("a recording has the id of its connection", async () => {
  await using server = await startVerbose();
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "device");
  const requestId = device.socket.response.headers.get("x-request-id")!;
  device.send(countingPayload(0, 320));
  await device.close();
  await server.untilLogged("a recording ended");
  expect([...linesOf(server, requestId).keys()]).toContain("a recording ended");
});
