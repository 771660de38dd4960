/**
 * A sync fails, and Linux has dropped the pages that it could not write: the next sync succeeds without them. Nothing
 * that was dropped may be acknowledged, neither by a resume nor by a later commit.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AudioCachePeer, controlOf } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, isCounting, pcmFormat } from "../harness/peers/ingest-device.ts";
import { joinedFrames, joinedSamples, recordedSegments } from "../harness/recorded-files.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { canPreload } from "../harness/faults/preload.ts";
import { SyncFault } from "../harness/faults/sync-fault.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { readiness } from "../harness/http/readiness.ts";
import { listStreams, removeStream } from "../harness/http/streams.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const MiB = 1024 * 1024;
const faulty = test.skipIf(!canPreload);

async function expectWhole(server: TestServer, id: string, audio: Uint8Array): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  expect(sha256(await peer.download(id, audio.length)), id).toBe(sha256(audio));
}

/** Resumes and finishes an upload; returns the offset where it continued. */
async function finish(server: TestServer, id: string, audio: Uint8Array): Promise<number> {
  using peer = await AudioCachePeer.open(server.url);
  const offset = await peer.resume(id);
  await peer.sendAudio(audio.subarray(offset));
  expect((await peer.stop(id)).sha256).toBe(sha256(audio));
  return offset;
}

faulty(
  "an upload whose final sync fails is not acknowledged, and sends everything that was lost again",
  async () => {
    using fault = new SyncFault("/incoming/");
    await using server = await TestServer.start(fault.options);
    const audio = new Random(1).bytes(500_000);
    using peer = await AudioCachePeer.open(server.url);
    await peer.upload("early", audio.subarray(1));
    fault.arm();
    await peer.start("x");
    await peer.sendAudio(audio);
    peer.send({ type: "STOP", streamId: "x" });
    await peer.expectError("Failed to finalize stream: x");
    expect(await finish(server, "x", audio)).toBe(0);
    await expectWhole(server, "x", audio);
    await server.kill9();
    await server.restart({ env: {} });
    await expectWhole(server, "x", audio);
    await expectWhole(server, "early", audio.subarray(1));
  },
);

faulty(
  "an upload whose background sync fails ends with an error, and continues at its durable bytes",
  async () => {
    using fault = new SyncFault("/incoming/");
    await using server = await TestServer.start(fault.options);
    const audio = new Random(2).bytes(40 * MiB);
    fault.arm();
    using peer = await AudioCachePeer.open(server.url);
    await peer.start("x");
    await peer.sendAudio(audio);
    expect((await peer.expectError(/./, 20_000)).message).toMatch(/^Failed to write to stream: x/);
    expect(await finish(server, "x", audio)).toBe(0);
    await expectWhole(server, "x", audio);
  },
);

faulty(
  "of an upload over v1 only the bytes that were acknowledged as durable survive a failed sync",
  async () => {
    using fault = new SyncFault("/incoming/");
    await using server = await TestServer.start(fault.options);
    const audio = new Random(3).bytes(3 * MiB);
    using peer = await V1Peer.open(server.url);
    peer.create(1, "x");
    await peer.write(1, audio, 0, MiB);
    await peer.untilDurable(1, MiB);
    fault.arm();
    await peer.write(1, audio, MiB, 2 * MiB);
    await peer.errorOn(1);
    const { durable } = peer.acked(1);
    const { offset } = await peer.resume(2, "x");
    expect(offset).toBe(durable);
    await peer.write(2, audio, offset);
    await peer.finish(2, audio.length);
    await expectWhole(server, "x", audio);
  },
);

const audioOf = (index: number) => new Random(index).bytes(10_000);

/** Returns whether the upload was acknowledged. */
async function tryUpload(server: TestServer, index: number): Promise<boolean> {
  const streamId = `x-${index}`;
  using peer = await AudioCachePeer.open(server.url);
  peer.send({ type: "START", streamId, resume: true });
  if (controlOf(await peer.next())?.type !== "STARTED") return false;
  await peer.sendAudio(audioOf(index));
  peer.send({ type: "STOP", streamId });
  return controlOf(await peer.next())?.type === "STOPPED";
}

test("after a failed sync of recordings they continue in new segments, and no frame is lost or listed too early", async () => {
  const env = { WAVECACHE_FAILPOINTS: "record.sync*2=EIO" };
  await using server = await TestServer.start({ env, flags: { "sync-seconds": 1, "rotate-seconds": 600 } });
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "shed");
  const sending = setInterval(() => device.send(countingPayload(device.seq * 320, 320)), 20);
  try {
    await until("a failed sync", 10_000, () => /recordings could not be synced/.test(server.log));
    await until(
      "the segment to be listed",
      10_000,
      async () => (await allRecordings(server.httpBase)).length > 0,
    );
  } finally {
    clearInterval(sending);
  }
  await device.close();
  const folder = join(server.folder, "received", "shed");
  await until("the last segment", 10_000, async () => {
    return (await allRecordings(server.httpBase)).length === recordedSegments(folder).length;
  });
  const segments = recordedSegments(folder);
  expect(segments.length).toBeGreaterThan(1);
  expect(joinedFrames(segments).map(({ seq }) => seq)).toEqual(
    Array.from({ length: device.seq }, (_, seq) => seq),
  );
  expect(isCounting(joinedSamples(segments))).toBe(true);
  for (const { bin, wav } of await allRecordings(server.httpBase)) {
    for (const file of [bin, wav]) {
      expect(sha256(readFileSync(join(server.folder, "received", file.path)))).toBe(file.sha256);
    }
  }
  expect(server.log).not.toMatch(/audio of a recording was lost/);
});

for (const call of [1, 2, 3]) {
  faulty(
    `after sync ${call} of the catalog has failed it recovers by itself, and nothing that was acknowledged is lost`,
    async () => {
      using fault = new SyncFault("catalog.db-wal", call);
      await using server = await TestServer.start(fault.options);
      const acknowledged = new Set<number>();
      for (let index = 0; index < 5; index++) if (await tryUpload(server, index)) acknowledged.add(index);
      expect(acknowledged.size).toBe(5);
      fault.arm();
      for (let index = 5; index < 15; index++) if (await tryUpload(server, index)) acknowledged.add(index);
      await server.untilLogged(/ E wavecache\.store: storage failed code=STORE_FAILED/);
      await until("uploads to work again", 15_000, async () => (await readiness(server)).length === 0);
      for (let index = 15; index < 20; index++) {
        expect(await tryUpload(server, index)).toBe(true);
        acknowledged.add(index);
      }
      expect(await removeStream(server.httpBase, "x-15")).toBe(204);
      acknowledged.delete(15);
      await server.kill9();
      await server.restart({ env: {} });
      for (const index of acknowledged) await expectWhole(server, `x-${index}`, audioOf(index));
      const ids = (await listStreams(server.httpBase, "finished")).map(({ streamId }) => streamId);
      expect(ids).not.toContain("x-15");
    },
  );
}
