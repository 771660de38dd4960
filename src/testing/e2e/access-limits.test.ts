/** The limits in the record of a token, of everything that uses it together. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bearer, createToken, type MadeToken } from "../harness/access.ts";
import { retentionReport } from "../harness/http/retention.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
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
  server = await TestServer.start({ flags: { "tls-port": 0, "sync-seconds": 1 } });
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

const storing = 100_000;

/** A request without a length is refused by what arrives. */
async function putParts(id: string, token: string, parts: number): Promise<Response> {
  const body = new ReadableStream({
    start(controller) {
      for (let part = 0; part < parts; part += 1) controller.enqueue(audio.slice(0, storing / 10));
      controller.close();
    },
  });
  const path = `${server.httpBase}/api/streams/${id}/audio`;
  return await fetch(path, { method: "PUT", body, headers: bearer(token) });
}

async function codeOf(answer: Response): Promise<string> {
  return ((await answer.json()) as { error: { code: string } }).error.code;
}

test("a token stores no more bytes than it may, whether a request declares them or not", async () => {
  const token = await limited({ storedBytes: storing });
  const declared = await put("stored.declared", token);
  expect([declared.status, await codeOf(declared)]).toEqual([429, "TOKEN_LIMIT_REACHED"]);
  expect((await putParts("stored.a", token, 6)).status).toBe(201);
  expect(await codeOf(await putParts("stored.b", token, 5))).toBe("TOKEN_LIMIT_REACHED");
  await remove("stored.b");
  expect((await putParts("stored.b", token, 4)).status).toBe(201);
  expect((await putParts("stored.c", token, 1)).status).toBe(429);
  // Others are not affected, and what is removed may be stored again.
  expect((await putParts("stored.c", root.text, 1)).status).toBe(201);
  await remove("stored.a");
  expect((await putParts("stored.d", token, 6)).status).toBe(201);
});

const frameBytes = 640;

/** Records at most so many frames; returns how many were sent before the server closed, and why it did. */
async function recordWith(token: string, frames: number): Promise<{ sent: number; reason: string }> {
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "limited", token);
  let sent = 0;
  while (sent < frames && device.socket.received.length === 0) {
    device.send(countingPayload(sent * 320, 320));
    sent += 1;
    await Bun.sleep(2);
  }
  if (device.socket.received.length > 0) return { sent, reason: (await device.closed()).reason };
  await device.close();
  return { sent, reason: "" };
}

/** Bytes of all recordings, once the catalog has them. */
async function recordedBytes(): Promise<number> {
  let total = 0;
  await until("the recordings to be in the catalog", 10_000, async () => {
    const { bytes, unfinishedBytes } = (await retentionReport(server.httpBase, root.headers)).recordings;
    total = bytes;
    return unfinishedBytes === 0;
  });
  return total;
}

test("what devices record counts, and a device is disconnected at the limit until there is room", async () => {
  const token = await limited({ storedBytes: storing });
  expect(await recordWith(token, 20)).toMatchObject({ sent: 20, reason: "" });
  expect(await recordedBytes()).toBeGreaterThan(40 * frameBytes);
  const { reason } = await recordWith(token, 2000);
  expect(reason).toBe("a limit of the token is reached");
  const full = await recordedBytes();
  // The frames on the way to the server and the peaks, which the catalog counts, are beyond the estimate.
  expect(full).toBeGreaterThan(storing - 2 * frameBytes);
  expect(full).toBeLessThan(storing * 1.02);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    expect((await recordWith(token, 2000)).reason).toBe(reason);
    expect(await recordedBytes()).toBeLessThan(full * 1.02);
  }
  expect((await putParts("stored.beside", token, 1)).status).toBe(429);
  const period = "from=1000&to=9000000000000";
  const path = `${server.httpBase}/api/recordings/limited?${period}`;
  await until("the recordings to be removed", 10_000, async () => {
    await fetch(path, { method: "DELETE", headers: root.headers });
    return (await recordedBytes()) === 0;
  });
  expect(await recordWith(token, 20)).toMatchObject({ sent: 20, reason: "" });
});

async function remove(id: string): Promise<void> {
  const path = `${server.httpBase}/api/streams/${id}`;
  const answer = await fetch(path, { method: "DELETE", headers: root.headers });
  expect(answer.status).toBe(204);
}

test("uploads at the same time share what a token may store, over every protocol", async () => {
  const token = await limited({ storedBytes: storing });
  const v1 = await V1Peer.open(`${server.url}?token=${token}`);
  v1.create(1, "shared.v1");
  await v1.expect(1, "OPENED");
  await v1.write(1, audio.slice(0, 60_000));
  const legacy = await AudioCachePeer.open(`${server.url}?token=${token}`);
  await legacy.start("shared.legacy");
  await legacy.sendAudio(audio.slice(0, 40_001), 40_001);
  await legacy.expectError(/limit of the token/);
  const created = await fetch(`${server.httpBase}/api/tus`, {
    method: "POST",
    headers: { ...bearer(token), "tus-resumable": "1.0.0", "upload-length": "50000" },
  });
  expect(created.status).toBe(429);
  await v1.finish(1, 60_000);
});

test("audio that the server has already counts for the token that adopts it", async () => {
  const adopt = async (token: string) =>
    await fetch(`${server.httpBase}/api/streams`, {
      method: "POST",
      headers: { ...bearer(token), "content-length": "0", "repr-digest": digest },
    });
  const sha256 = new Bun.CryptoHasher("sha256").update(audio).digest("base64");
  const digest = `sha-256=:${sha256}:`;
  const token = await limited({ storedBytes: 2 * bytes });
  expect((await adopt(token)).status).toBe(201);
  expect((await adopt(token)).status).toBe(201);
  const refused = await adopt(token);
  expect([refused.status, await codeOf(refused)]).toEqual([429, "TOKEN_LIMIT_REACHED"]);
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
