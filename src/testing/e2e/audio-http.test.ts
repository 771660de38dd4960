/** Audio of streams over plain HTTP, by the rules of RFC 9110. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { resolve } from "node:path";
import { Random, sha256 } from "../harness/bytes.ts";
import { flipByte, objectPath } from "../harness/damage.ts";
import { type AudioAnswer, AudioReading, partsOf, requestAudio } from "../harness/http/audio-http.ts";
import { removeStream } from "../harness/http/streams.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const KiB = 1024;
const MiB = 1024 * KiB;
const samples = resolve(import.meta.dir, "../../../data/samples");

let server: TestServer;
/** Short audio is sent from memory, long audio from its file. */
const audios = { short: new Random(1).bytes(1000), long: new Random(2).bytes(3 * MiB + 123) };
type Length = keyof typeof audios;
const ids: Record<Length, string> = { short: freshId("short"), long: freshId("long") };

beforeAll(async () => {
  server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  for (const length of ["short", "long"] as const) await peer.upload(ids[length], audios[length]);
});

afterAll(async () => {
  await server.dispose();
});

function get(id: string, headers: Record<string, string | string[]> = {}, query = ""): Promise<AudioAnswer> {
  return requestAudio(server.httpBase, `/api/streams/${id}/audio${query}`, { headers });
}

function head(id: string, headers: Record<string, string> = {}, query = ""): Promise<AudioAnswer> {
  const options = { method: "HEAD", headers };
  return requestAudio(server.httpBase, `/api/streams/${id}/audio${query}`, options);
}

async function upload(audio: Uint8Array, id = freshId("audio")): Promise<string> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, audio);
  return id;
}

function errorOf({ body }: AudioAnswer): string {
  return (JSON.parse(body.toString()) as { error: { code: string } }).error.code;
}

function expectBytes(answer: AudioAnswer, audio: Uint8Array, from: number, end: number): void {
  expect(answer.isComplete).toBe(true);
  expect(answer.body.length).toBe(end - from);
  expect(Buffer.compare(answer.body, audio.subarray(from, end))).toBe(0);
}

/** Of finished audio. */
function expectHeaders({ headers }: AudioAnswer, audio: Uint8Array): void {
  const digest = sha256(audio);
  expect(headers.get("etag")).toBe(`"${digest}"`);
  expect(headers.get("repr-digest")).toBe(`sha-256=:${Buffer.from(digest, "hex").toString("base64")}:`);
  expect(headers.get("accept-ranges")).toBe("bytes");
  expect(headers.get("cache-control")).toBe("private, max-age=31536000, immutable");
  expect(Math.abs(Date.parse(headers.get("last-modified")!) - Date.now())).toBeLessThan(120_000);
  expect(headers.get("x-content-type-options")).toBe("nosniff");
}

describe.each(["short", "long"] as const)("%s audio", (length) => {
  const audio = audios[length];
  const id = ids[length];
  const size = audio.length;

  test("is sent whole, with its length, digest and validators, and so is its HEAD without the audio", async () => {
    const answer = await get(id);
    expect(answer.status).toBe(200);
    expectBytes(answer, audio, 0, size);
    expectHeaders(answer, audio);
    expect(answer.headers.get("content-length")).toBe(String(size));
    const described = await head(id);
    expect([described.status, described.body.length]).toEqual([200, 0]);
    for (const name of ["content-length", "content-type", "content-disposition", "etag", "repr-digest"])
      expect(described.headers.get(name)).toBe(answer.headers.get(name));
  });

  test.each<[string, number, number]>([
    ["bytes=0-0", 0, 1],
    ["bytes=0-", 0, size],
    [`bytes=0-${size - 1}`, 0, size],
    ["bytes=0-999999999999999999999999999", 0, size],
    ["bytes=1-", 1, size],
    ["bytes=100-299", 100, 300],
    ["bytes=-1", size - 1, size],
    ["bytes=-500", size - 500, size],
    ["bytes=-999999999999999999999999999", 0, size],
    [`bytes=${size - 1}-`, size - 1, size],
    ["bytes=10-19,20-29", 10, 30],
    ["bytes=10-19,999999999999-", 10, 20],
  ])("has the range %s", async (range, from, end) => {
    const answer = await get(id, { range });
    expect(answer.status).toBe(206);
    expect(answer.headers.get("content-range")).toBe(`bytes ${from}-${end - 1}/${size}`);
    expectBytes(answer, audio, from, end);
    expectHeaders(answer, audio);
  });

  test.each([`bytes=${size}-`, "bytes=-0", "bytes=99999999999999999999-", `bytes=${size}-${size},-0`])(
    "has nothing in the range %s",
    async (range) => {
      const answer = await get(id, { range });
      expect([answer.status, errorOf(answer)]).toEqual([416, "NO_DATA"]);
      expect(answer.headers.get("content-range")).toBe(`bytes */${size}`);
      expect(answer.headers.get("cache-control")).toBe("no-store");
    },
  );

  test.each<Record<string, string | string[]>>([
    { range: "bytes=5-2" },
    { range: "bytes=" },
    { range: "items=0-5" },
    { range: "bytes=0-5;6-7" },
    { range: ["bytes=0-5", "bytes=7-9"] },
    { range: `bytes=${Array.from({ length: 100 }, (_, at) => `${at * 2}-${at * 2}`).join()}` },
    { range: "bytes=0-5", "if-range": `"${"0".repeat(64)}"` },
    { range: "bytes=0-", "if-range": `W/"${sha256(audio)}"` },
    { range: "bytes=0-5", "if-range": "Sun, 06 Nov 1994 08:49:37 GMT" },
    { range: "bytes=99999999999-", "if-range": '"old"' },
  ])("is sent whole for the headers %j", async (headers) => {
    const answer = await get(id, headers);
    expect([answer.status, answer.headers.get("content-range")]).toEqual([200, null]);
    expect(answer.headers.get("content-length")).toBe(String(size));
    expectBytes(answer, audio, 0, size);
  });

  test("has the range of an If-Range that names it, by tag or by date", async () => {
    const modified = (await head(id)).headers.get("last-modified")!;
    for (const condition of [`"${sha256(audio)}"`, modified]) {
      const answer = await get(id, { range: "bytes=5-9", "if-range": condition });
      expect(answer.status).toBe(206);
      expectBytes(answer, audio, 5, 10);
    }
  });

  test.each<[string, [number, number][]]>([
    [
      "bytes=0-0,-1",
      [
        [0, 1],
        [size - 1, size],
      ],
    ],
    [
      "bytes=-10,0-9,100-299",
      [
        [size - 10, size],
        [0, 10],
        [100, 300],
      ],
    ],
    [
      `bytes=0-9,${Math.floor(size / 2)}-${size - 2},5-20`,
      [
        [0, 21],
        [Math.floor(size / 2), size - 1],
      ],
    ],
  ])("has several ranges in parts: %s", async (range, expected) => {
    const answer = await get(id, { range });
    expect([answer.status, answer.isComplete]).toEqual([206, true]);
    expect(answer.headers.get("content-range")).toBeNull();
    const parts = partsOf(answer);
    expect(parts.map((part) => part.headers.get("content-range"))).toEqual(
      expected.map(([from, end]) => `bytes ${from}-${end - 1}/${size}`),
    );
    for (const [index, [from, end]] of expected.entries()) {
      expect(parts[index]!.headers.get("content-type")).toBe("application/octet-stream");
      expect(Buffer.compare(parts[index]!.body, audio.subarray(from, end))).toBe(0);
    }
  });

  test("is 304 for a client that has it, and 412 for one that wants another", async () => {
    const etag = `"${sha256(audio)}"`;
    for (const method of ["GET", "HEAD"]) {
      const ask = (headers: Record<string, string>) =>
        requestAudio(server.httpBase, `/api/streams/${id}/audio`, { method, headers });
      const unchanged = await ask({ "if-none-match": `"x", W/${etag}`, range: "bytes=0-5" });
      expect([unchanged.status, unchanged.body.length]).toEqual([304, 0]);
      expect(unchanged.headers.get("etag")).toBe(etag);
      expect(unchanged.headers.get("cache-control")).toContain("immutable");
      expect((await ask({ "if-modified-since": new Date().toUTCString() })).status).toBe(304);
      expect((await ask({ "if-none-match": '"x"' })).status).toBe(200);
      expect((await ask({ "if-match": `"x", ${etag}` })).status).toBe(200);
      expect((await ask({ "if-match": '"x"' })).status).toBe(412);
      expect((await ask({ "if-unmodified-since": "Sun, 06 Nov 1994 08:49:37 GMT" })).status).toBe(412);
    }
    expect(errorOf(await get(id, { "if-match": '"x"' }))).toBe("PRECONDITION_FAILED");
  });

  test("a HEAD ignores Range", async () => {
    const answer = await head(id, { range: "bytes=0-5" });
    expect([answer.status, answer.headers.get("content-length")]).toEqual([200, String(size)]);
  });
});

test("empty audio is sent as such, and has no range but its last bytes", async () => {
  const id = await upload(new Uint8Array(0));
  expect(await get(id)).toMatchObject({ status: 200, isComplete: true });
  expect((await get(id)).headers.get("content-length")).toBe("0");
  const outside = await get(id, { range: "bytes=0-" });
  expect([outside.status, outside.headers.get("content-range")]).toEqual([416, "bytes */0"]);
  expect((await get(id, { range: "bytes=-5" })).status).toBe(200);
});

test("an unknown stream is 404, whatever its id looks like, and nothing outside the store is reached", async () => {
  for (const id of ["none", "..%2f..%2fcatalog.db", "%2e%2e%2fcatalog.db", "a%00b", "%zz", "a%0d%0ab", "é"]) {
    const answer = await get(encodeURI(id).replaceAll("%25", "%"));
    expect([answer.status, errorOf(answer)], id).toEqual([404, "STREAM_UNKNOWN"]);
  }
});

test("the reserved format and unknown parameters are 400, with the name of the parameter", async () => {
  for (const query of ["format=mp3", "format=", "folow=1", "download=yes", "follow=1&follow=1"]) {
    const answer = await get(ids.short, {}, `?${query}`);
    expect([answer.status, errorOf(answer)], query).toEqual([400, "BAD_REQUEST"]);
    expect(answer.body.toString()).toContain(`"parameter":"${query.replace(/=.*/, "")}"`);
    expect(answer.body.toString()).toContain('"hint"');
  }
});

describe("the type and name of audio", () => {
  test("are what its first bytes show, and its id; download=1 lets a browser save it", async () => {
    const wav = fs.readFileSync(`${samples}/speech-16k-mono.wav`);
    const id = await upload(wav);
    const { headers } = await get(id);
    expect(headers.get("content-type")).toBe("audio/wav");
    expect(headers.get("content-disposition")).toBe(`inline; filename="${id}.wav"`);
    const saved = await head(id, {}, "?download=1");
    expect(saved.headers.get("content-disposition")).toBe(`attachment; filename="${id}.wav"`);
  });

  test("of what is no audio is a file to save, also if it looks like a page", async () => {
    const id = await upload(Buffer.from("<!doctype html><script>alert(1)</script>"));
    const { headers } = await get(id);
    expect(headers.get("content-type")).toBe("application/octet-stream");
    expect(headers.get("content-disposition")).toBe(`attachment; filename="${id}"`);
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  });
});

describe("an upload in progress", () => {
  const audio = new Random(3).bytes(500_000);

  test("is sent to its present end, with its length and without anything that a cache would keep", async () => {
    using peer = await AudioCachePeer.open(server.url);
    const id = freshId("growing");
    await peer.start(id);
    await peer.sendAudio(audio.subarray(0, 300_000));
    await peer.untilReceived(id, 300_000);
    const answer = await get(id);
    expect([answer.status, answer.headers.get("content-length")]).toEqual([200, "300000"]);
    expectBytes(answer, audio, 0, 300_000);
    for (const name of ["etag", "last-modified", "repr-digest"]) expect(answer.headers.get(name)).toBeNull();
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect((await head(id)).headers.get("content-length")).toBe("300000");

    const part = await get(id, { range: "bytes=100000-" });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 100000-299999/*"]);
    expectBytes(part, audio, 100_000, 300_000);
    const outside = await get(id, { range: "bytes=300000-" });
    expect([outside.status, outside.headers.get("content-range")]).toEqual([416, "bytes */300000"]);
    // A validator that it does not have, and a range that is none.
    const ignored: Record<string, string>[] = [
      { range: "bytes=5-9", "if-range": '"x"' },
      { range: "bytes=9-5" },
    ];
    for (const headers of ignored) {
      const whole = await get(id, headers);
      expect(whole.status).toBe(200);
      expectBytes(whole, audio, 0, 300_000);
    }
    await peer.sendAudio(audio.subarray(300_000));
    await peer.stop(id);
    const finished = await get(id, { range: "bytes=300000-" });
    expect(finished.headers.get("content-range")).toBe("bytes 300000-499999/500000");
    expectBytes(finished, audio, 300_000, 500_000);
  });

  test("is followed to its end, through a connection that is lost and resumed", async () => {
    const id = freshId("followed");
    const peer = await AudioCachePeer.open(server.url);
    await peer.start(id);
    await peer.sendAudio(audio.subarray(0, 1000));
    await peer.untilReceived(id, 1000);
    const reading = await AudioReading.open(server.httpBase, `/api/streams/${id}/audio?follow=1`);
    expect(Buffer.compare(await reading.bytes(1000), audio.subarray(0, 1000))).toBe(0);
    await peer.sendAudio(audio.subarray(1000, 200_000));
    await reading.bytes(200_000);
    await peer.close();
    using next = await AudioCachePeer.open(server.url);
    const kept = await next.resume(id);
    await next.sendAudio(audio.subarray(kept));
    await next.stop(id);
    const answer = await reading.rest();
    expect(answer.headers.get("accept-ranges")).toBe("none");
    expect(answer.headers.get("content-length")).toBeNull();
    expectBytes(answer, audio, 0, audio.length);
  });

  test("has the type that its first bytes show", async () => {
    const id = freshId("wav");
    using peer = await AudioCachePeer.open(server.url);
    await peer.start(id);
    await peer.sendAudio(fs.readFileSync(`${samples}/speech-16k-mono.wav`).subarray(0, 10_000));
    await peer.untilReceived(id, 10_000);
    const { headers } = await get(id);
    expect(headers.get("content-type")).toBe("audio/wav");
    expect(headers.get("content-disposition")).toBe(`inline; filename="${id}.wav"`);
    const reading = await AudioReading.open(server.httpBase, `/api/streams/${id}/audio?follow=1`);
    await reading.bytes(10_000);
    const followed = await head(id, {}, "?follow=1");
    expect([followed.status, followed.headers.get("content-length")]).toEqual([200, null]);
    await peer.stop(id);
    expect((await reading.rest()).headers.get("content-type")).toBe("audio/wav");
  });

  test("followed from before its first byte is complete, and a finished stream needs no following", async () => {
    const id = freshId("empty");
    using peer = await AudioCachePeer.open(server.url);
    await peer.start(id);
    const reading = await AudioReading.open(server.httpBase, `/api/streams/${id}/audio?follow=1`);
    await peer.sendAudio(audio);
    await peer.stop(id);
    expectBytes(await reading.rest(), audio, 0, audio.length);
    const answer = await get(id, { range: "bytes=5-9" }, "?follow=1");
    expect(answer.status).toBe(206);
    expectBytes(answer, audio, 5, 10);
  });

  test("that is removed ends the answer to its follower as not complete", async () => {
    const id = freshId("removed");
    const peer = await AudioCachePeer.open(server.url);
    await peer.start(id);
    await peer.sendAudio(audio.subarray(0, 1000));
    const reading = await AudioReading.open(server.httpBase, `/api/streams/${id}/audio?follow=1`);
    await reading.bytes(1000);
    await peer.close();
    await until("the removal", 5_000, async () => (await removeStream(server.httpBase, id)) === 204);
    const answer = await reading.rest();
    expect([answer.isComplete, answer.body.length]).toEqual([false, 1000]);
  });

  test("gives no other upload's audio to its follower", async () => {
    const id = freshId("restarted");
    const peer = await AudioCachePeer.open(server.url);
    await peer.start(id);
    await peer.sendAudio(audio.subarray(0, 1000));
    const reading = await AudioReading.open(server.httpBase, `/api/streams/${id}/audio?follow=1`);
    await reading.bytes(1000);
    await peer.close();
    await until("the removal", 5_000, async () => (await removeStream(server.httpBase, id)) === 204);
    await upload(audio.subarray(2000, 5000), id);
    const answer = await reading.rest();
    expect(answer.isComplete).toBe(false);
    expect(Buffer.compare(answer.body, audio.subarray(0, 1000))).toBe(0);
  });
});

describe("damaged audio", () => {
  const audio = new Random(4).bytes(3 * MiB);
  const damagedAt = 2 * MiB + 100_000;

  async function damaged(seed: number): Promise<{ id: string; whole: Uint8Array; path: string }> {
    const whole = Buffer.concat([audio, new Random(seed).bytes(20)]);
    const id = await upload(whole);
    return { id, whole, path: objectPath(server, sha256(whole)) };
  }

  test.each([false, true])("is an error and never sent, read before: %p", async (isRead) => {
    const { id, whole, path } = await damaged(isRead ? 10 : 11);
    if (isRead) expectBytes(await get(id), whole, 0, whole.length);
    flipByte(path, damagedAt);
    for (const range of ["bytes=0-", `bytes=${damagedAt}-${damagedAt}`, "bytes=2097152-", "none"]) {
      const answer = await get(id, { range });
      expect([answer.status, errorOf(answer)]).toEqual([500, "OBJECT_DAMAGED"]);
      for (const name of ["etag", "repr-digest"]) expect(answer.headers.get(name)).toBeNull();
    }
    const parts = await get(id, { range: `bytes=0-0,${damagedAt}-${damagedAt + 5}` });
    expect(parts.status).toBe(500);
    // What is right is still read.
    expectBytes(await get(id, { range: "bytes=0-1999999" }), whole, 0, 2_000_000);
    expect((await head(id)).status).toBe(200);
    flipByte(path, damagedAt);
    expectBytes(await get(id), whole, 0, whole.length);
  });

  test("of several parts ends the answer before it, if the first ones are long", async () => {
    const { id, whole, path } = await damaged(12);
    flipByte(path, damagedAt);
    const answer = await get(id, { range: "bytes=0-999999,2000000-" });
    expect([answer.status, answer.isComplete]).toEqual([206, false]);
    const begin = answer.body.indexOf("\r\n\r\n") + 4;
    expect(Buffer.compare(answer.body.subarray(begin, begin + 1_000_000), whole.subarray(0, 1_000_000))).toBe(
      0,
    );
    expect(answer.body.includes(fs.readFileSync(path).subarray(damagedAt - 8, damagedAt + 8))).toBe(false);
  });

  test("that is replaced by a right copy is sent again, and a truncated or missing object is an error", async () => {
    const { id, whole, path } = await damaged(13);
    expectBytes(await get(id), whole, 0, whole.length);
    fs.truncateSync(path, MiB);
    expect((await get(id)).status).toBe(500);
    fs.rmSync(path);
    expect([errorOf(await get(id))]).toEqual(["OBJECT_MISSING"]);
    expect((await head(id)).status).toBe(200);
    fs.mkdirSync(path);
    expect((await get(id)).status).toBe(500);
    fs.rmdirSync(path);
    fs.writeFileSync(path, whole);
    expectBytes(await get(id), whole, 0, whole.length);
    expect(server.isRunning).toBe(true);
  });

  test("is not sent as the audio of a new stream under an old id", async () => {
    const id = await upload(audio);
    expectBytes(await get(id), audio, 0, audio.length);
    expect(await removeStream(server.httpBase, id)).toBe(204);
    expect((await get(id)).status).toBe(404);
    const other = new Random(20).bytes(audio.length);
    await upload(other, id);
    const answer = await get(id);
    expectBytes(answer, other, 0, other.length);
    expectHeaders(answer, other);
  });
});

test("readers and followers do not keep a server from stopping", async () => {
  await using stopped = await TestServer.start();
  using peer = await AudioCachePeer.open(stopped.url);
  await peer.upload("read", new Random(7).bytes(20 * MiB), MiB);
  await peer.start("followed");
  await peer.sendAudio(audios.short);
  const targets = ["/api/streams/read/audio", "/api/streams/followed/audio?follow=1"];
  const readings = await Promise.all(targets.map((target) => AudioReading.open(stopped.httpBase, target)));
  await readings[1]!.bytes(audios.short.length);
  readings[0]!.pause();
  expect(await stopped.stop()).toBe(0);
  expect(stopped.log).not.toMatch(/ [EW] wavecache/);
  expect((await readings[1]!.rest()).isComplete).toBe(false);
});

test("a server with TLS sends whole audio, ranges, and what it was asked not to take as a range", async () => {
  await using secure = await TestServer.start();
  using peer = await AudioCachePeer.open(secure.url);
  const audio = audios.long;
  await peer.upload("secure", audio);
  await secure.restart({ flags: { tls: "on" } });
  const ask = (headers: Record<string, string>) =>
    requestAudio(secure.httpBase, "/api/streams/secure/audio", { headers });
  expectBytes(await ask({}), audio, 0, audio.length);
  expectBytes(await ask({ range: "bytes=100000-999999" }), audio, 100_000, 1_000_000);
  expectBytes(await ask({ range: "bytes=0-5", "if-range": '"x"' }), audio, 0, audio.length);
});

test("clients that pause for longer than a connection may be idle still get all of the audio", async () => {
  const audio = new Random(6).bytes(30 * MiB);
  const id = await upload(audio);
  const target = `/api/streams/${id}/audio`;
  const size = audio.length;
  const idle = await AudioReading.open(server.httpBase, target, {
    headers: { connection: "keep-alive", range: "bytes=0-9" },
  });
  const ranges = [`bytes=0-${size - 1}`, `bytes=0-${size - 10},${size - 5}-`];
  const readings = await Promise.all(
    ranges.map((range) => AudioReading.open(server.httpBase, target, { headers: { range } })),
  );
  for (const reading of readings) reading.pause();
  // The server ends a connection without a request.
  expect((await idle.rest()).isComplete).toBe(true);
  for (const reading of readings) reading.resume();
  for (const reading of readings) expect((await reading.rest()).isComplete).toBe(true);
});

describe.skipIf(process.platform !== "linux")("clients that do not read", () => {
  const readers = 200;
  const bytesForAll = 64 * MiB;

  test.each<[string, Record<string, string>]>([
    ["all of it", {}],
    ["parts of it", { range: "bytes=0-3000000,4000000-" }],
  ])("take a bounded memory together, and leave no file open: readers of %s", async (_what, headers) => {
    const audio = new Random(5).bytes(8 * MiB);
    const id = await upload(audio);
    expectBytes(await get(id), audio, 0, audio.length);
    const [filesBefore, before] = [openFiles(), await server.memory()];
    const readings: AudioReading[] = [];
    for (let index = 0; index < readers; index += 1) {
      const reading = await AudioReading.open(server.httpBase, `/api/streams/${id}/audio`, { headers });
      reading.pause();
      readings.push(reading);
    }
    // Others are served meanwhile, during which garbage goes: what remains is held for the readers.
    await until("memory within its limit", 10_000, async () => {
      expectBytes(await get(id), audio, 0, audio.length);
      return (await server.memory()).ownBytes - before.ownBytes < bytesForAll;
    });
    readings[0]!.resume();
    expect((await readings[0]!.rest()).isComplete).toBe(true);
    for (const reading of readings) reading.close();
    await until("their files to be closed", 10_000, () => openFiles() <= filesBefore + 3);
  });
});

function openFiles(): number {
  return fs.readdirSync(`/proc/${server.pid}/fd`).length;
}
