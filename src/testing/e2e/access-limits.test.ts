/** The limits in the record of a token, of everything that uses it together. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bearer, createToken, type MadeToken } from "../harness/access.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { fetchSong } from "../harness/peers/song-peer.ts";
import { plain, V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const rate = 1_000_000;
/** A burst of a fifth of a second is free. */
const bytes = 700_000;
const minMs = 450;
const audio = new Uint8Array(bytes).fill(7);

let server: TestServer;
let root: MadeToken;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "tls-port": 0 } });
  mkdirSync(join(server.folder, "library"), { recursive: true });
  writeFileSync(join(server.folder, "library", "song.wav"), audio);
  root = await createToken(server, ["*"]);
  const stored = await put("big", root.text);
  expect(stored.status).toBe(201);
});

afterAll(async () => {
  await server.dispose();
});

async function limited(limits: Record<string, number>): Promise<string> {
  const body = JSON.stringify({ grants: ["*"], limits });
  const answer = await fetch(`${server.httpBase}/api/tokens`, {
    method: "POST",
    headers: root.headers,
    body,
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { token: string }).token;
}

async function put(id: string, token: string): Promise<Response> {
  const path = `${server.httpBase}/api/streams/${id}/audio`;
  return await fetch(path, { method: "PUT", body: audio, headers: bearer(token) });
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await act();
  return performance.now() - startMs;
}

test("connections above the limit are refused with 429, and HELLO counts them too", async () => {
  const token = await limited({ connections: 1 });
  const first = await RawWebSocket.open(`${server.url}?token=${token}`);
  expect(first.response.status).toBe(101);
  expect((await RawWebSocket.open(`${server.url}?token=${token}`)).response.status).toBe(429);
  const greeted = await V1Peer.open(server.url, { revision: 3, token });
  expect(await greeted.faultCode()).toBe("TOKEN_LIMIT_REACHED");
  expect((await fetchSong(server.tlsPort, `song.wav?token=${token}`)).bytes.length).toBe(0);
  first[Symbol.dispose]();
  await until("the place is free", 5_000, async () => {
    using next = await RawWebSocket.open(`${server.url}?token=${token}`);
    return next.response.status === 101;
  });
});

test("uploads above the limit are refused, in every protocol together", async () => {
  const token = await limited({ uploads: 1 });
  const legacy = await AudioCachePeer.open(`${server.url}?token=${token}`);
  await legacy.start("first");
  const v1 = await V1Peer.open(`${server.url}?token=${token}`);
  v1.send({ type: "WRITE", channel: 1, streamId: "second", mode: "create", metadata: plain });
  expect(await v1.errorOn(1)).toBe("TOKEN_LIMIT_REACHED");
  expect((await put("third", token)).status).toBe(429);
  await legacy.stop("first");
  expect((await put("third", token)).status).toBe(201);
});

test("a token sends and receives no faster than it may", async () => {
  const token = await limited({ bytesInPerSecond: rate, bytesOutPerSecond: rate });
  expect(await timed(() => put("slow", token))).toBeGreaterThan(minMs);
  const path = `${server.httpBase}/api/streams/big/audio`;
  const read = async () => {
    const answer = await fetch(path, { headers: bearer(token) });
    expect(Buffer.from(await answer.arrayBuffer()).equals(audio)).toBe(true);
  };
  expect(await timed(read)).toBeGreaterThan(minMs);
  const song = async () => {
    const { bytes: heard } = await fetchSong(server.tlsPort, `song.wav?token=${token}`);
    expect(heard.equals(audio)).toBe(true);
  };
  expect(await timed(song)).toBeGreaterThan(minMs);
});

test("a WebSocket sends and receives no faster than its token may", async () => {
  const token = await limited({ bytesInPerSecond: rate, bytesOutPerSecond: rate });
  const legacy = await AudioCachePeer.open(`${server.url}?token=${token}`);
  // Half a megabyte may arrive before the pause of a socket takes effect.
  const long = new Uint8Array(2 * bytes);
  expect(await timed(() => legacy.upload("slow.legacy", long))).toBeGreaterThan(minMs);
  const v1 = await V1Peer.open(server.url, { revision: 3, token });
  const read = async () => {
    const { audio: heard } = await v1.read(1, "big");
    expect(Buffer.from(heard).equals(audio)).toBe(true);
  };
  expect(await timed(read)).toBeGreaterThan(minMs);
});
