/** Full, unwritable and failing disks: the client gets an ERROR, the server stays up and recovers. */
import { expect, test } from "bun:test";
import { AudioCachePeer, controlOf } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { debrisIn, incomingFiles } from "../harness/cache-folder.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { canMountSmallDisk, fillDisk, freeDisk, onSmallDisk } from "../harness/small-disk.ts";
import { listStreams, streamInfo } from "../harness/http/streams.ts";
import { until } from "../harness/until.ts";
import { describeFrame } from "../harness/peers/websocket-frames.ts";

useServers();

const MiB = 1024 * 1024;
const diskFull = /disk is full/;

async function withFailpoints(failpoints: string): Promise<TestServer> {
  return await TestServer.start({ env: { WAVECACHE_FAILPOINTS: failpoints } });
}

/** Uploads with resume until STOPPED or the first ERROR; returns the ERROR's message, or undefined. */
async function tryUpload(server: TestServer, id: string, audio: Uint8Array): Promise<string | undefined> {
  using peer = await AudioCachePeer.open(server.url);
  peer.send({ type: "START", streamId: id, resume: true });
  const started = controlOf(await peer.next());
  if (started?.offset === undefined) return started?.message ?? "no control message";
  await peer.sendAudio(audio.subarray(started.offset));
  peer.send({ type: "STOP", streamId: id });
  const frame = await peer.next();
  const reply = controlOf(frame);
  if (reply?.type === "STOPPED") {
    expect(reply).toMatchObject({ size: audio.length, sha256: sha256(audio) });
    return undefined;
  }
  if (reply?.type !== "ERROR") throw new Error(`expected STOPPED or ERROR, received ${describeFrame(frame)}`);
  return reply.message;
}

async function expectHealthy(server: TestServer): Promise<void> {
  const response = await fetch(`${server.httpBase}/healthz`);
  expect(await response.text()).toStartWith("ok");
  expect(response.status).toBe(200);
}

async function expectWhole(server: TestServer, id: string, audio: Uint8Array): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  expect(sha256(await peer.download(id, audio.length))).toBe(sha256(audio));
}

test.skipIf(!canMountSmallDisk())(
  "a full disk fails uploads with an ERROR, loses nothing else, and works again once it has space",
  async () => {
    await using server = await TestServer.start(onSmallDisk(24));
    const early = new Random(1).bytes(MiB);
    expect(await tryUpload(server, "early", early)).toBeUndefined();
    await fillDisk(server, 2 * MiB);
    const large = new Random(2).bytes(6 * MiB);
    expect(await tryUpload(server, "large", large)).toMatch(diskFull);
    await expectHealthy(server);
    await expectWhole(server, "early", early);
    expect((await streamInfo(server.httpBase, "large"))?.state).not.toBe("finished");
    const small = Array.from({ length: 5 }, (_, index) => new Random(10 + index).bytes(200_000));
    const refused: number[] = [];
    for (const [index, audio] of small.entries()) {
      const message = await tryUpload(server, `small-${index}`, audio);
      if (message !== undefined) refused.push(index);
      if (message !== undefined) expect(message).toMatch(diskFull);
    }
    await freeDisk(server);
    using peer = await AudioCachePeer.open(server.url);
    expect(await peer.resume("large")).toBeLessThanOrEqual(large.length);
    expect(await tryUpload(server, "large", large)).toBeUndefined();
    await expectWhole(server, "large", large);
    for (const index of refused)
      expect(await tryUpload(server, `small-${index}`, small[index]!)).toBeUndefined();
    for (const [index, audio] of small.entries()) await expectWhole(server, `small-${index}`, audio);
    expect(await tryUpload(server, "new", new Random(3).bytes(MiB))).toBeUndefined();
    await server.untilLogged(/full|ENOSPC/i);
  },
);

test("a write that fails with ENOSPC is an ERROR, and the stream can be resumed", async () => {
  await using server = await withFailpoints("upload.write*2=ENOSPC");
  const audio = new Random(4).bytes(4 * MiB);
  expect(await tryUpload(server, "x", audio)).toMatch(diskFull);
  await expectHealthy(server);
  expect(await tryUpload(server, "x", audio)).toBeUndefined();
  await expectWhole(server, "x", audio);
  await server.untilLogged(/full|ENOSPC/i);
});

test("while the disk stays full every upload fails without an acknowledgement, and reads work", async () => {
  await using server = await withFailpoints("");
  const audio = new Random(5).bytes(300_000);
  expect(await tryUpload(server, "early", audio)).toBeUndefined();
  await server.restart({ env: { WAVECACHE_FAILPOINTS: "upload.write=ENOSPC" } });
  for (let index = 0; index < 10; index++) {
    expect(await tryUpload(server, `x-${index}`, audio.subarray(index))).toMatch(diskFull);
  }
  await expectWhole(server, "early", audio);
  expect((await listStreams(server.httpBase, "finished")).map((stream) => stream.streamId)).toEqual([
    "early",
  ]);
  await server.restart({ env: {} });
  for (let index = 0; index < 10; index++) {
    expect(await tryUpload(server, `x-${index}`, audio.subarray(index))).toBeUndefined();
  }
  expect(await debrisIn(server.cacheDir, server.httpBase)).toEqual([]);
});

test("audio sent after a failed write does not become a part of the stream", async () => {
  await using server = await withFailpoints("upload.write*1=ENOSPC");
  using peer = await AudioCachePeer.open(server.url);
  const audio = new Random(6).bytes(200_000);
  await peer.start("x");
  peer.socket.binary(audio.subarray(0, 50_000));
  await peer.expectError(diskFull);
  await peer.sendAudio(audio.subarray(50_000), 8192);
  peer.send({ type: "STOP", streamId: "x" });
  await peer.expectErrorsUntil("Failed to finalize stream: x");
  const offset = await peer.resume("x");
  await peer.sendAudio(audio.subarray(offset));
  expect((await peer.stop("x")).sha256).toBe(sha256(audio));
});

test("START fails with a reason while the cache folder is unwritable, and works afterwards", async () => {
  await using server = await withFailpoints("upload.open*1=EACCES");
  using peer = await AudioCachePeer.open(server.url);
  peer.send({ type: "START", streamId: "x" });
  const reply = await peer.expectError("Failed to create stream: x");
  expect(reply.message).toMatch(/cannot be written/);
  await expectHealthy(server);
  expect(await incomingFiles(server.cacheDir)).toEqual([]);
  await peer.upload("x", Buffer.from("audio"));
  expect((await peer.read("x", 0, 100)).toString()).toBe("audio");
  await server.untilLogged(/cannot be written|EACCES/);
});

test("a stream that fails to seal is not acknowledged, and a resume finishes it", async () => {
  await using server = await withFailpoints("upload.seal*1=ENOSPC");
  using peer = await AudioCachePeer.open(server.url);
  const audio = new Random(7).bytes(100_000);
  await peer.start("x");
  await peer.sendAudio(audio);
  peer.send({ type: "STOP", streamId: "x" });
  const reply = await peer.expectError("Failed to finalize stream: x");
  expect(reply.message).toMatch(diskFull);
  expect((await streamInfo(server.httpBase, "x"))?.state).toBe("unfinished");
  expect(await tryUpload(server, "x", audio)).toBeUndefined();
  await expectWhole(server, "x", audio);
});

for (const step of [1, 2, 3, 4, 5, 6]) {
  test(`an error at step ${step} of a commit is answered truthfully, whether with ERROR or STOPPED`, async () => {
    await using server = await withFailpoints(`commit.${step}*3=EIO`);
    for (const id of ["a", "b"]) expect(await tryUpload(server, id, Buffer.from(id))).toBeUndefined();
    const audio = new Random(step).bytes(100_000);
    const message = await tryUpload(server, "x", audio);
    if (message !== undefined) expect(message).toMatch(/^Failed to finalize stream: x \(.+\)$/);
    if (message === undefined) await expectWhole(server, "x", audio);
    const isFinished = async (): Promise<boolean> => (await tryUpload(server, "x", audio)) === undefined;
    await until("the stream to be finished", 5_000, isFinished);
    expect(await tryUpload(server, "y", new Random(100 + step).bytes(100_000))).toBeUndefined();
    await expectWhole(server, "y", new Random(100 + step).bytes(100_000));
    await server.kill9();
    await server.restart({ env: {} });
    await expectWhole(server, "x", audio);
    for (const id of ["a", "b"]) await expectWhole(server, id, Buffer.from(id));
    expect(await debrisIn(server.cacheDir, server.httpBase)).toEqual([]);
  });
}

test("a failed read is an ERROR of its GET only", async () => {
  await using server = await withFailpoints("reader.read*1=EIO");
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("x", Buffer.from("0123456789"));
  peer.get("x", 0, 10);
  const reply = await peer.expectError("Failed to read from stream: x");
  expect(reply.message).toMatch(/\(.+\)$/);
  expect((await peer.read("x", 0, 10)).toString()).toBe("0123456789");
});
