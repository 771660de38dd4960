/** Threads that die: their streams fail with an ERROR that says so, everything else and everything new works. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { AudioCachePeer, controlOf } from "../harness/audio-cache-peer.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { debrisIn } from "../harness/cache-folder.ts";
import { TestServer } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";
import { describeFrame, opcodes } from "../harness/websocket-frames.ts";

setDefaultTimeout(testLimitMs);

const workerDied = /worker.*died/;
const recoveryLimitMs = 10_000;

async function withFailpoints(failpoints: string): Promise<TestServer> {
  return await TestServer.start({ flags: { workers: 2 }, env: { WAVECACHE_FAILPOINTS: failpoints } });
}

interface Upload {
  id: string;
  audio: Uint8Array;
  peer: AudioCachePeer;
}

async function openUploads(server: TestServer, count: number): Promise<Upload[]> {
  const uploads: Upload[] = [];
  for (let index = 0; index < count; index++) {
    const upload = {
      id: `upload-${index}`,
      audio: new Random(index).bytes(300_000 + index),
      peer: await AudioCachePeer.open(server.url),
    };
    await upload.peer.start(upload.id);
    uploads.push(upload);
  }
  return uploads;
}

/** Sends all audio and STOP; true when acknowledged, false when it failed because of the dead worker. */
async function finish({ id, audio, peer }: Upload): Promise<boolean> {
  await peer.sendAudio(audio, 8192);
  peer.send({ type: "STOP", streamId: id });
  const frame = await peer.next();
  const reply = controlOf(frame);
  if (reply?.type === "STOPPED") {
    expect(reply.sha256).toBe(sha256(audio));
    return true;
  }
  if (reply?.type !== "ERROR" || !workerDied.test(reply.message)) {
    throw new Error(`expected STOPPED, or an ERROR that the worker died, received ${describeFrame(frame)}`);
  }
  return false;
}

/** Goes on with a failed upload on a connection of its own until it is acknowledged. */
async function resumeAndFinish(server: TestServer, id: string, audio: Uint8Array): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  const offset = await peer.resume(id);
  await peer.sendAudio(audio.subarray(offset));
  expect((await peer.stop(id)).sha256).toBe(sha256(audio));
}

test("a writer that dies fails its streams, spares the others, and the failed ones can be resumed", async () => {
  await using server = await withFailpoints("upload.write=exit-worker");
  const uploads = await openUploads(server, 6);
  const outcomes: boolean[] = [];
  for (const upload of uploads) outcomes.push(await finish(upload));
  expect(outcomes[0]).toBe(false);
  expect(outcomes.filter(Boolean).length).toBeGreaterThan(0);
  for (const { id, audio } of uploads.filter((_, index) => !outcomes[index])) {
    await resumeAndFinish(server, id, audio);
  }
  using peer = await AudioCachePeer.open(server.url);
  for (const { id, audio } of uploads)
    expect(sha256(await peer.download(id, audio.length))).toBe(sha256(audio));
  await peer.upload("new", Buffer.from("new audio"));
  for (const upload of uploads) upload.peer[Symbol.dispose]();
  expect(await debrisIn(server.cacheDir, server.httpBase)).toEqual([]);
  expect(server.log).toMatch(/worker/i);
});

test("the connection of a failed stream is told at once, without a STOP, and stays usable", async () => {
  await using server = await withFailpoints("upload.write=exit-worker");
  using peer = await AudioCachePeer.open(server.url);
  await peer.start("x");
  peer.socket.binary(Buffer.from("audio"));
  await peer.expectError(workerDied, recoveryLimitMs);
  await peer.upload("y", Buffer.from("other audio"));
  expect((await peer.read("y", 0, 100)).toString()).toBe("other audio");
});

for (const failpoint of ["upload.open", "upload.seal"]) {
  test(`a writer that dies in ${failpoint} answers with an ERROR, and a resume finishes the stream`, async () => {
    await using server = await withFailpoints(`${failpoint}=exit-worker`);
    using peer = await AudioCachePeer.open(server.url);
    const audio = new Random(3).bytes(100_000);
    peer.send({ type: "START", streamId: "x" });
    const started = controlOf(await peer.next(recoveryLimitMs));
    if (started?.type === "STARTED") {
      await peer.sendAudio(audio);
      peer.send({ type: "STOP", streamId: "x" });
      await peer.expectError(workerDied, recoveryLimitMs);
    } else {
      expect(started?.message).toMatch(/^Failed to create stream: x \(.*worker.*died/);
    }
    await resumeAndFinish(server, "x", audio);
  });
}

for (const step of [1, 2, 3, 4, 5, 6, 7]) {
  test(`a thread that dies at step ${step} of a commit loses nothing that was acknowledged`, async () => {
    await using server = await withFailpoints(`commit.${step}=exit-worker`);
    using peer = await AudioCachePeer.open(server.url);
    const audio = new Random(step).bytes(100_000);
    await peer.start("x");
    await peer.sendAudio(audio);
    peer.send({ type: "STOP", streamId: "x" });
    const frame = await peer.next(recoveryLimitMs);
    const reply = controlOf(frame);
    const isError = reply?.type === "ERROR" && reply.message.startsWith("Failed to finalize stream: x");
    if (reply?.type !== "STOPPED" && !isError) {
      throw new Error(`expected STOPPED or an ERROR, received ${describeFrame(frame)}`);
    }
    await until("the server to have recovered", recoveryLimitMs, async () => {
      using probe = await AudioCachePeer.open(server.url);
      probe.send({ type: "START", streamId: "x", resume: true });
      return controlOf(await probe.next())?.type === "STARTED";
    });
    await resumeAndFinish(server, "x", audio);
    using reader = await AudioCachePeer.open(server.url);
    expect(sha256(await reader.download("x", audio.length))).toBe(sha256(audio));
    await reader.upload("y", Buffer.from("new audio"));
  });
}

test("a reader that dies fails only the GETs under way, each with an answer, and reads go on", async () => {
  await using server = await withFailpoints("reader.read*3=exit-worker");
  const audio = new Random(9).bytes(20 * 50_000);
  using writer = await AudioCachePeer.open(server.url);
  await writer.upload("x", audio);
  using peer = await AudioCachePeer.open(server.url);
  for (let index = 0; index < 20; index++) peer.get("x", index * 50_000, 50_000);
  let failed = 0;
  for (let index = 0; index < 20; index++) {
    const frame = await peer.next(recoveryLimitMs);
    if (frame.opcode === opcodes.binary) {
      expect(frame.payload.equals(audio.subarray(index * 50_000, (index + 1) * 50_000))).toBe(true);
      continue;
    }
    failed += 1;
    expect(controlOf(frame)?.message).toMatch(/^Failed to read from stream: x \(.*worker.*died/);
  }
  expect(failed).toBeGreaterThan(0);
  for (const reader of [peer, writer]) {
    expect(sha256(await reader.download("x", audio.length))).toBe(sha256(audio));
  }
  await writer.upload("y", Buffer.from("new audio"));
});
