/** What a full cache does: what can never be finished is dropped, and interrupted uploads make room for others. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { incomingFiles } from "../harness/cache-folder.ts";
import { runClient } from "../harness/client-process.ts";
import { listStreams, streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer, controlOf } from "../harness/peers/audio-cache.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const plain = { contentType: undefined, format: undefined, tags: {} };

/** Starts a stream and leaves it unfinished. */
async function interrupt(server: TestServer, id: string, audio: Uint8Array): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.start(id);
  await peer.sendAudio(audio);
  await peer.close();
  await until(`${id} to be interrupted`, testLimitMs / 2, async () => {
    const info = await streamInfo(server.httpBase, id);
    return info?.size === audio.length || undefined;
  });
}

async function metric(server: TestServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.httpBase}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

describe("uploads over --max-stream-bytes", () => {
  test.each(["v1", "legacy"])("leave nothing behind over %s, and room for others", async (protocol) => {
    const flags = { "max-stream-bytes": 10 * MiB, "max-cache-bytes": 20 * MiB };
    await using server = await TestServer.start({ flags });
    using folder = temporaryFolder();
    const put = (name: string, bytes: number) => {
      writeFileSync(join(folder.path, name), new Random(bytes).bytes(bytes));
      return join(folder.path, name);
    };
    const options = ["-s", server.url, "--protocol", protocol];
    for (const name of ["a.wav", "b.wav", "c.wav"]) {
      const { code, err } = await runClient(["upload", put(name, 12 * MiB), ...options]);
      expect(code).toBe(1);
      expect(err).toContain("stream is larger than allowed");
    }
    await until("an empty cache", testLimitMs / 2, async () => {
      const files = await incomingFiles(server.cacheDir);
      return (files.length === 0 && (await listStreams(server.httpBase)).length === 0) || undefined;
    });
    expect(await runClient(["upload", put("small.wav", 100_000), ...options])).toMatchObject({ code: 0 });
  });

  test("are refused at START if it tells their size, before any audio is sent", async () => {
    await using server = await TestServer.start({ flags: { "max-stream-bytes": 1000 } });
    using peer = await AudioCachePeer.open(server.url);
    for (const fields of [{}, { resume: true }, { restart: true }]) {
      peer.send({ type: "START", streamId: "x", size: 1001, ...fields });
      await peer.expectError(/stream is larger than allowed/);
    }
    await peer.start("x", { size: 1000 });
    const v1 = await V1Peer.open(server.url);
    v1.send({ type: "WRITE", channel: 1, streamId: "y", mode: "create", metadata: plain, size: 1001 });
    expect(await v1.lastWord(1)).toMatchObject({ type: "ERROR", code: "STREAM_TOO_LARGE" });
  });

  test("never remove a finished stream of their id, although their audio comes before the answer", async () => {
    await using server = await TestServer.start({ flags: { "max-stream-bytes": 1000 } });
    using peer = await AudioCachePeer.open(server.url);
    const audio = new Random(1).bytes(900);
    await peer.upload("done", audio);
    peer.send({ type: "START", streamId: "done", resume: true });
    peer.socket.binary(new Uint8Array(1001));
    const first = controlOf(await peer.next());
    // The answer to START may be ahead of the refusal of the audio.
    if (first?.type === "STARTED") await peer.expectError(/already finished/);
    else expect(first?.message).toMatch(/larger than allowed/);
    expect(await streamInfo(server.httpBase, "done")).toMatchObject({
      state: "finished",
      sha256: sha256(audio),
    });
  });
});

describe("a full cache", () => {
  test("removes interrupted uploads, the least recently used first, and no more than needed", async () => {
    await using server = await TestServer.start({ flags: { "max-cache-bytes": 4 * MiB } });
    const random = new Random(2);
    using peer = await AudioCachePeer.open(server.url);
    const kept = random.bytes(MiB);
    await peer.upload("finished", kept);
    for (const id of ["first", "second", "third"]) await interrupt(server, id, random.bytes(MiB));
    using second = await AudioCachePeer.open(server.url);
    await second.resume("first");
    await second.close();

    const audio = random.bytes(MiB);
    await peer.upload("new", audio);
    const ids = (await listStreams(server.httpBase)).map(({ streamId }) => streamId);
    expect(ids).toEqual(["finished", "first", "new", "third"]);
    expect(sha256(await peer.download("finished", MiB))).toBe(sha256(kept));
    expect(sha256(await peer.download("new", MiB))).toBe(sha256(audio));
    expect(await metric(server, "wavecache_reclaimed_uploads_total")).toBe(1);
    expect(await metric(server, "wavecache_reclaimed_bytes_total")).toBe(MiB);
    expect(await incomingFiles(server.cacheDir)).toHaveLength(2);
  });

  test("never removes an upload with a live connection", async () => {
    await using server = await TestServer.start({ flags: { "max-cache-bytes": 4 * MiB } });
    const audio = new Random(3).bytes(3 * MiB);
    using live = await AudioCachePeer.open(server.url);
    await live.start("live");
    await live.sendAudio(audio);
    await live.untilReceived("live", audio.length);
    using other = await AudioCachePeer.open(server.url);
    await other.start("other");
    await other.sendAudio(new Uint8Array(2 * MiB));
    await other.expectError(/cache is full/);
    expect(await live.stop("live")).toMatchObject({ sha256: sha256(audio) });
  });

  test("refuses a size that does not fit beside the finished streams, and removes nothing for it", async () => {
    await using server = await TestServer.start({ flags: { "max-cache-bytes": 4 * MiB } });
    using peer = await AudioCachePeer.open(server.url);
    await peer.upload("finished", new Random(4).bytes(2 * MiB));
    await interrupt(server, "half", new Random(5).bytes(MiB));
    peer.send({ type: "START", streamId: "large", size: 3 * MiB });
    await peer.expectError(/cache is full/);
    expect(await streamInfo(server.httpBase, "half")).toMatchObject({ state: "unfinished", size: MiB });
    await peer.start("fits", { size: 2 * MiB });
    await until("room", testLimitMs / 2, async () => {
      return (await streamInfo(server.httpBase, "half")) === undefined || undefined;
    });
  });
});
