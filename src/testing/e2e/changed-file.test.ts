/** Files that change between two runs of `upload`: no stream that mixes old and new audio may ever be finished. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { runClient, startClient } from "../harness/client-process.ts";
import { listStreams, streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

function put(path: string, bytes: Uint8Array): Uint8Array {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return bytes;
}

/** Starts the upload, and kills it once the server has some of an unfinished stream. */
async function interruptedUpload(of: TestServer, args: readonly string[]): Promise<string> {
  const child = startClient(["upload", ...args, "-s", of.url]);
  const streamId = await until("a part of the upload", testLimitMs / 2, async () => {
    const streams = await listStreams(of.httpBase);
    return streams.find(({ state, size }) => state === "unfinished" && size > MiB)?.streamId;
  });
  child.kill("SIGKILL");
  await child.exited;
  return streamId;
}

describe.each(["v1", "legacy"])("an interrupted upload of a folder over %s", (protocol) => {
  test("whose file then changes is sent anew under the same id", async () => {
    await using own = await TestServer.start();
    using folder = temporaryFolder();
    const random = new Random(1);
    const music = join(folder.path, "music");
    const file = join(music, "take.wav");
    put(file, random.bytes(80 * MiB));
    put(join(music, "b.wav"), random.bytes(9));
    const streamId = await interruptedUpload(own, [music, "--protocol", protocol]);
    const changed = put(file, random.bytes(80 * MiB));

    const again = await runClient(["upload", music, "-s", own.url, "--protocol", protocol]);
    expect(again).toMatchObject({ code: 0 });
    expect(again.err).toContain(`starting ${streamId} again at byte 0: the server had other audio`);
    expect(await streamInfo(own.httpBase, streamId)).toMatchObject({
      state: "finished",
      sha256: sha256(changed),
    });
    expect(await runClient(["upload", music, "-s", own.url, "--protocol", protocol])).toMatchObject({
      code: 0,
    });
  });

  test("whose file stays as it is goes on where it was", async () => {
    await using own = await TestServer.start();
    using folder = temporaryFolder();
    const music = join(folder.path, "music");
    const audio = put(join(music, "take.wav"), new Random(2).bytes(80 * MiB));
    const streamId = await interruptedUpload(own, [music, "--protocol", protocol]);
    const again = await runClient(["upload", music, "--json", "-s", own.url, "--protocol", protocol]);
    expect(again).toMatchObject({ code: 0, err: "" });
    const [uploaded] = (JSON.parse(again.out) as { files: { kept: number; sha256: string }[] }).files;
    expect(uploaded).toMatchObject({ streamId, sha256: sha256(audio) });
    expect(uploaded!.kept).toBeGreaterThan(MiB);
  });
});

test("a finished stream is not replaced by a file that has changed since, and the message says so", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "done", "take.wav");
  const random = new Random(3);
  const first = put(file, random.bytes(1000));
  expect(await runClient(["upload", dirname(file), "-s", server.url])).toMatchObject({ code: 0 });
  put(file, random.bytes(1000));
  for (const protocol of ["v1", "legacy"]) {
    const again = await runClient(["upload", dirname(file), "-s", server.url, "--protocol", protocol]);
    expect(again.code).toBe(1);
    expect(again.err).toContain("another stream has the id");
  }
  const streams = await listStreams(server.httpBase);
  expect(streams.filter(({ sha256: digest }) => digest === sha256(first))).toHaveLength(1);
});

describe("over the audio cache", () => {
  test("STARTED of a resume has the digest of the kept bytes, and no other STARTED has", async () => {
    const audio = new Random(4).bytes(100_000);
    const id = freshId("prefix");
    using peer = await AudioCachePeer.open(server.url);
    expect((await peer.start(id)).sha256).toBeUndefined();
    await peer.sendAudio(audio);
    using second = await AudioCachePeer.open(server.url);
    const resumed = await second.start(id, { resume: true });
    expect(resumed.sha256).toBe(sha256(audio.subarray(0, resumed.offset)));
    using third = await AudioCachePeer.open(server.url);
    expect(await third.start(freshId("prefix"), { resume: true })).toMatchObject({
      offset: 0,
      sha256: sha256(new Uint8Array(0)),
    });
  });

  test("a restart discards what the stream had, also on the connection that is uploading it", async () => {
    const id = freshId("restart");
    const audio = new Random(5).bytes(50_000);
    using peer = await AudioCachePeer.open(server.url);
    await peer.start(id);
    await peer.sendAudio(new Random(6).bytes(70_000));
    expect(await peer.start(id, { restart: true })).toMatchObject({ offset: 0 });
    await peer.sendAudio(audio);
    expect(await peer.stop(id)).toMatchObject({ size: 50_000, sha256: sha256(audio) });
    peer.send({ type: "START", streamId: id, restart: true });
    await peer.expectError(/stream is already finished/);
  });

  test("STOP with another digest finishes nothing, and the upload can be resumed", async () => {
    const id = freshId("wrong");
    const audio = new Random(7).bytes(50_000);
    using peer = await AudioCachePeer.open(server.url);
    await peer.start(id);
    await peer.sendAudio(audio);
    peer.send({ type: "STOP", streamId: id, sha256: sha256(new Uint8Array(1)) });
    await peer.expectError(/audio does not match its sender's digest/);
    expect(await streamInfo(server.httpBase, id)).toMatchObject({ state: "unfinished", size: 50_000 });
    expect(await peer.resume(id)).toBe(50_000);
    peer.send({ type: "STOP", streamId: id, sha256: sha256(audio) });
    expect(await peer.expectControl("STOPPED", id)).toMatchObject({ sha256: sha256(audio) });
  });
});

describe("over protocol v1", () => {
  const plain = { contentType: undefined, format: undefined, tags: {} };

  test("OPENED of a resume has the digest of the kept bytes, for a client of revision 2", async () => {
    const audio = new Random(8).bytes(20_000);
    const id = freshId("v1-prefix");
    const first = await V1Peer.open(server.url);
    await first.create(1, id);
    first.data(1, 0, audio);
    await first.untilDurable(1, audio.length);
    first.socket.reset();
    for (const revision of [1, 2]) {
      const peer = await V1Peer.open(server.url, { revision });
      const { offset, sha256: digest } = await peer.resume(1, id);
      expect(offset).toBe(audio.length);
      expect(digest).toBe(revision === 1 ? undefined : sha256(audio));
      peer.socket.reset();
    }
  });

  test("FINISH with another digest finishes nothing, and a restart replaces the audio", async () => {
    const id = freshId("v1-wrong");
    const audio = new Random(9).bytes(20_000);
    const peer = await V1Peer.open(server.url);
    await peer.create(1, id);
    peer.data(1, 0, audio);
    peer.send({ type: "FINISH", channel: 1, size: audio.length, sha256: sha256(new Uint8Array(1)) });
    expect(await peer.lastWord(1)).toMatchObject({ type: "ERROR", code: "DIGEST_WRONG" });
    expect(await streamInfo(server.httpBase, id)).toMatchObject({ state: "unfinished", size: audio.length });

    const other = new Random(10).bytes(10_000);
    const metadata = { ...plain, tags: { name: "other.wav" } };
    peer.send({ type: "WRITE", channel: 2, streamId: id, mode: "restart", metadata });
    peer.data(2, 0, other);
    peer.send({ type: "FINISH", channel: 2, size: other.length, sha256: sha256(other) });
    expect(await peer.lastWord(2)).toMatchObject({ type: "END", outcome: "finished", sha256: sha256(other) });
    expect(await streamInfo(server.httpBase, id)).toMatchObject({
      metadata: { tags: { name: "other.wav" } },
    });
    peer.send({ type: "WRITE", channel: 3, streamId: id, mode: "restart", metadata });
    expect(await peer.lastWord(3)).toMatchObject({ type: "ERROR", code: "STREAM_FINISHED" });
  });
});
