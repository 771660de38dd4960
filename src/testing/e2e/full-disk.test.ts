/** A disk without any room: reads and removals work, uploads are refused, and room is all that it takes to recover. */
import { expect, test } from "bun:test";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { readiness } from "../harness/http/readiness.ts";
import { listStreams, removeStream } from "../harness/http/streams.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { canMountSmallDisk, LastingDisk } from "../harness/small-disk.ts";
import { until } from "../harness/until.ts";

useServers();

const MiB = 1024 * 1024;
const diskFull = /disk is full/;
const small = new Random(1).bytes(1000);
const large = new Random(2).bytes(2 * MiB);

async function upload(server: TestServer, id: string, audio: Uint8Array): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, audio);
}

async function expectRefused(server: TestServer, id: string): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  peer.send({ type: "START", streamId: id });
  expect((await peer.expectError(/./)).message).toMatch(diskFull);
}

async function expectWhole(server: TestServer, id: string, audio: Uint8Array): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  expect(sha256(await peer.download(id, audio.length))).toBe(sha256(audio));
}

async function untilReady(server: TestServer, reasons: string[]): Promise<void> {
  await until(`readiness: ${reasons.join(" ") || "ready"}`, 10_000, async () => {
    return Bun.deepEquals(await readiness(server), reasons);
  });
}

async function withStreams(disk: LastingDisk): Promise<TestServer> {
  const server = await TestServer.start(disk.options);
  for (let index = 0; index < 40; index++) await upload(server, `small-${index}`, small.subarray(index));
  await upload(server, "large", large);
  return server;
}

test.skipIf(!canMountSmallDisk())(
  "with nothing free, streams can be read and removed one by one, and uploads are refused",
  async () => {
    using disk = new LastingDisk(16);
    await using server = await withStreams(disk);
    await disk.fill(server);
    await untilReady(server, ["DISK_FULL"]);
    await expectRefused(server, "new");
    await expectWhole(server, "large", large);
    for (let index = 0; index < 40; index++) {
      expect(await removeStream(server.httpBase, `small-${index}`), `small-${index}`).toBe(204);
    }
    expect((await listStreams(server.httpBase)).map(({ streamId }) => streamId)).toEqual(["large"]);
    expect(await removeStream(server.httpBase, "large")).toBe(204);
    await upload(server, "new", small);
    await untilReady(server, []);
  },
);

for (const bytesLeft of [0, 4096]) {
  for (const end of ["SIGTERM", "SIGKILL"] as const) {
    test.skipIf(!canMountSmallDisk())(
      `a server starts with ${bytesLeft} bytes free after ${end}, and recovers when there is room`,
      async () => {
        using disk = new LastingDisk(16);
        await using server = await withStreams(disk);
        for (let start = 0; start < 4; start++) {
          await disk.fill(server, bytesLeft);
          await (end === "SIGTERM" ? server.stop() : server.kill9());
          await disk.fill(server, bytesLeft);
          await server.restart();
          await untilReady(server, ["DISK_FULL"]);
          await expectRefused(server, "new");
          await expectWhole(server, "large", large);
          expect(await removeStream(server.httpBase, `small-${start}`)).toBe(204);
        }
        await disk.free(server);
        await untilReady(server, []);
        await upload(server, "new", small);
        await expectWhole(server, "new", small);
        expect(server.log.match(/ E \S+ disk is full/g)?.length).toBe(1);
      },
    );
  }
}

test.skipIf(!canMountSmallDisk())(
  "a start works on a full disk without a ballast, and removals make room again",
  async () => {
    using disk = new LastingDisk(16);
    await using server = await withStreams(disk);
    await server.stop();
    await Bun.file(disk.pathOf(server, "cache/ballast")).delete();
    await disk.fill(server);
    await server.restart();
    await untilReady(server, ["DISK_FULL"]);
    await expectWhole(server, "large", large);
    await expectRefused(server, "new");
    expect(await removeStream(server.httpBase, "large")).toBe(204);
    await upload(server, "new", small);
  },
);
