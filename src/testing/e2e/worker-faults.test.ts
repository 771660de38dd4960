/** Threads that die: their streams fail with an ERROR that says so, and everything else keeps working. */
import { expect, test } from "bun:test";
import { AudioCachePeer, controlOf } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { debrisIn } from "../harness/cache-folder.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";
import { describeFrame, opcodes } from "../harness/peers/websocket-frames.ts";

useServers();

const workerDied = /worker.*died/;
const recoveryLimitMs = 5_000;
/**
 * The pass of its fail point at which a thread dies. It is late, because the thread's replacement counts from zero and
 * must not reach it with the rest of the test.
 */
const fatalPassage = 20;

async function withDeathAt(failpoint: string, passage = fatalPassage): Promise<TestServer> {
  const failpoints = `${failpoint}*${passage}=exit-worker`;
  return await TestServer.start({ flags: { workers: 2 }, env: { WAVECACHE_FAILPOINTS: failpoints } });
}

interface Attempt {
  id: string;
  audio: Uint8Array;
  /** The ERROR that arrived instead of an acknowledgement. */
  error: string | undefined;
}

/** A small upload, up to its acknowledgement or its first ERROR. */
async function attempt(peer: AudioCachePeer, id: string): Promise<Attempt> {
  const audio = Buffer.from(`audio of ${id}`);
  peer.send({ type: "START", streamId: id, resume: true });
  const started = controlOf(await peer.next(recoveryLimitMs));
  if (started?.type !== "STARTED") return { id, audio, error: started?.message ?? "no control message" };
  if (started.offset !== audio.length) peer.socket.binary(audio.subarray(started.offset));
  peer.send({ type: "STOP", streamId: id });
  const frame = await peer.next(recoveryLimitMs);
  const reply = controlOf(frame);
  if (reply?.type === "STOPPED") expect(reply.sha256).toBe(sha256(audio));
  else if (reply?.type !== "ERROR")
    throw new Error(`expected an answer to STOP, received ${describeFrame(frame)}`);
  return { id, audio, error: reply.type === "ERROR" ? reply.message : undefined };
}

/** Small uploads, each on a new connection, until one fails. Returns all of them, the failed one last. */
async function attemptUntilDeath(server: TestServer): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  for (let index = 0; index < 4 * fatalPassage; index++) {
    using peer = await AudioCachePeer.open(server.url);
    attempts.push(await attempt(peer, `upload-${index}`));
    if (attempts.at(-1)?.error !== undefined) return attempts;
  }
  throw new Error(`no thread died in ${attempts.length} uploads: ${server.log}`);
}

async function expectAudio(server: TestServer, attempts: Attempt[]): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  for (const { id, audio } of attempts) {
    expect((await peer.read(id, 0, 1000)).toString(), id).toBe(audio.toString());
  }
}

for (const failpoint of ["upload.open", "upload.write", "upload.seal"]) {
  test(`a writer that dies in ${failpoint} fails its stream, and new streams start without delay`, async () => {
    await using server = await withDeathAt(failpoint);
    const attempts = await attemptUntilDeath(server);
    const failed = attempts.at(-1)!;
    expect(failed.error).toMatch(workerDied);
    using peer = await AudioCachePeer.open(server.url);
    for (const id of ["next-a", "next-b", "next-c"]) {
      const next = await attempt(peer, id);
      expect(next.error).toBeUndefined();
      attempts.push(next);
    }
    expect((await attempt(peer, failed.id)).error).toBeUndefined();
    await expectAudio(server, attempts);
    expect(await debrisIn(server.cacheDir, server.httpBase)).toEqual([]);
    await server.untilLogged(/writer|worker/i);
  });
}

for (const step of [1, 2, 3, 4, 5, 6]) {
  test(`a thread that dies at step ${step} of a commit loses nothing, and soon commits again`, async () => {
    await using server = await withDeathAt(`commit.${step}`);
    const attempts = await attemptUntilDeath(server);
    const failed = attempts.at(-1)!;
    expect(failed.error).toMatch(workerDied);
    let last = failed;
    await until(
      "commits to work again",
      recoveryLimitMs,
      async () => {
        using peer = await AudioCachePeer.open(server.url);
        last = await attempt(peer, failed.id);
        return last.error === undefined;
      },
      () => `the last answer was: ${last.error}\n${server.log}`,
    );
    using peer = await AudioCachePeer.open(server.url);
    attempts.push(await attempt(peer, "next"));
    expect(attempts.at(-1)!.error).toBeUndefined();
    await expectAudio(server, attempts);
    expect(await debrisIn(server.cacheDir, server.httpBase)).toEqual([]);
  });
}

test("only the streams of a dead writer fail, immediately, and can be resumed", async () => {
  await using server = await withDeathAt("upload.write");
  const streams = ["a", "b", "c", "d"].map((id, index) => ({
    id,
    audio: new Random(index).bytes(20_000 + index),
  }));
  const peers: AudioCachePeer[] = [];
  for (const { id } of streams) {
    const peer = await AudioCachePeer.open(server.url);
    await peer.start(id);
    peers.push(peer);
  }
  // Only the first stream writes this often; each read waits until the frame before it is written.
  const first = peers[0]!;
  for (let frame = 0; frame < fatalPassage; frame++) {
    first.socket.binary(Buffer.from("x"));
    if (frame < fatalPassage - 1) expect((await first.read("a", frame, 1)).toString()).toBe("x");
  }
  await first.expectError(workerDied);
  const outcomes: string[] = [];
  for (const [index, { id, audio }] of streams.entries()) {
    if (index === 0) continue;
    await peers[index]!.sendAudio(audio, 8192);
    peers[index]!.send({ type: "STOP", streamId: id });
    const frame = await peers[index]!.next();
    outcomes.push(controlOf(frame)?.type ?? describeFrame(frame));
  }
  expect(outcomes).toContain("STOPPED");
  for (const [index, { id, audio }] of streams.entries()) {
    if (index === 0 || outcomes[index - 1] === "STOPPED") continue;
    using peer = await AudioCachePeer.open(server.url);
    const offset = await peer.resume(id);
    await peer.sendAudio(audio.subarray(offset));
    expect((await peer.stop(id)).sha256).toBe(sha256(audio));
  }
  const kept = await first.resume("a");
  expect(kept).toBeLessThan(fatalPassage);
  expect((await first.stop("a")).sha256).toBe(sha256(Buffer.alloc(kept, "x")));
  for (const peer of peers) peer[Symbol.dispose]();
});

test("a reader crash answers each pending GET with audio or an ERROR, and reads keep working", async () => {
  await using server = await withDeathAt("reader.read", 300);
  const audio = new Random(9).bytes(400 * 5000);
  using peer = await AudioCachePeer.open(server.url);
  // Unfinished, because the main thread may send audio of finished streams without a reader.
  await peer.start("x");
  await peer.sendAudio(audio);
  for (let index = 0; index < 400; index++) peer.get("x", index * 5000, 5000);
  let failed = 0;
  for (let index = 0; index < 400; index++) {
    const frame = await peer.next(recoveryLimitMs);
    if (frame.opcode === opcodes.binary) {
      const isRight = frame.payload.equals(audio.subarray(index * 5000, (index + 1) * 5000));
      if (!isRight) throw new Error(`wrong answer to GET ${index}: ${describeFrame(frame)}`);
      continue;
    }
    failed += 1;
    expect(controlOf(frame)?.message).toMatch(/^Failed to read from stream: x \(.*worker.*died/);
  }
  expect(failed).toBeGreaterThan(0);
  await until("reads to work again", recoveryLimitMs, async () => {
    peer.get("x", 0, 10);
    return (await peer.next()).opcode === opcodes.binary;
  });
  expect(sha256(await peer.download("x", audio.length))).toBe(sha256(audio));
  using other = await AudioCachePeer.open(server.url);
  expect(sha256(await other.download("x", audio.length))).toBe(sha256(audio));
  await other.upload("y", Buffer.from("new audio"));
  expect((await peer.stop("x")).sha256).toBe(sha256(audio));
});
