/** What a crash leaves of a removal, and which files retention touches. */
import { describe, expect, test } from "bun:test";
import { existsSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../harness/bytes.ts";
import { debrisAfterCheck, filesUnder } from "../harness/cache-folder.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { listStreams } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { type ServerOptions, TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const limitMs = 10_000;

async function upload(server: TestServer, id: string, bytes: number, seed: number): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, new Random(seed).bytes(bytes));
}

async function idsOf(server: TestServer): Promise<string[]> {
  return (await listStreams(server.httpBase)).map(({ streamId }) => streamId);
}

/** Starts the server, which dies at its first removal. */
async function dieInRemoval(
  server: TestServer,
  failpoint: string,
  flags: ServerOptions["flags"],
): Promise<void> {
  const env = { WAVECACHE_FAILPOINTS: `${failpoint}=kill` };
  // It may die before it is ready.
  await server.restart({ env, flags: flags! }).catch(() => undefined);
  await until("the end of the server", limitMs, () => !server.isRunning || undefined);
}

describe("a crash in a removal", () => {
  test.each(["retention.rows", "retention.file", "retention.file*3"])(
    "at %s leaves the same in the catalog and on the disk",
    async (failpoint) => {
      await using server = await TestServer.start();
      for (let each = 0; each < 8; each += 1) await upload(server, `s${each}`, 300_000, each + 1);
      // The last two share their audio.
      await upload(server, "s8", 300_000, 8);
      await dieInRemoval(server, failpoint, { "keep-streams": 600_000 });
      await server.restart({ env: {}, flags: { "keep-streams": 10 * MiB } });
      expect(await debrisAfterCheck(server.cacheDir, server.httpBase)).toEqual([]);
      await server.restart({ flags: { "keep-streams": 600_000 } });
      await until(
        "the rest to be removed",
        limitMs,
        async () => (await idsOf(server)).length < 3 || undefined,
      );
      expect(await idsOf(server)).not.toContain("s0");
      expect(await debrisAfterCheck(server.cacheDir, server.httpBase)).toEqual([]);
    },
  );
});

async function record(server: TestServer, device: string): Promise<void> {
  using peer = await IngestDevice.open(server.httpBase, pcmFormat, device);
  peer.send(countingPayload(0, 320));
  await peer.close();
  await until(`the recording of ${device}`, limitMs, async () => {
    const listed = await allRecordings(server.httpBase, `device=${device}`);
    return listed.length > 0 || undefined;
  });
}

/** Every recording is older than a second. */
async function untilExpired(server: TestServer): Promise<void> {
  await until("recordings of more than a second ago", limitMs, async () => {
    const listed = await allRecordings(server.httpBase);
    return listed.every(({ endedAt }) => Date.parse(endedAt) < Date.now() - 1_000) || undefined;
  });
}

const received = (server: TestServer) => join(server.folder, "received");

describe("recordings", () => {
  test("expire with both files and their folder, also after a crash between the files", async () => {
    await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
    for (const device of ["kitchen", "pinned"]) await record(server, device);
    const from = Date.now() - 60_000;
    const pin = `/api/pins?device=pinned&from=${from}&to=${from + 3_600_000}`;
    expect((await fetch(server.httpBase + pin, { method: "PUT" })).status).toBe(204);
    const flags = { "keep-recordings": "1s", "sync-seconds": 1 };
    await untilExpired(server);
    await dieInRemoval(server, "retention.recording", flags);
    const left = (await filesUnder(join(received(server), "kitchen"))).map(({ path }) => path.slice(-4));
    expect(left.toSorted()).toEqual([".dat", ".lvl", ".wav"]);
    await server.restart({ env: {}, flags });
    await until(
      "the folder to be removed",
      limitMs,
      () => !existsSync(join(received(server), "kitchen")) || undefined,
    );
    const devices = (await allRecordings(server.httpBase)).map(({ device }) => device);
    expect(devices).toEqual(["pinned"]);
    expect((await filesUnder(join(received(server), "pinned"))).length).toBeGreaterThan(1);
  });

  test("behind a link are left alone", async () => {
    await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
    await record(server, "kitchen");
    const elsewhere = join(server.folder, "elsewhere");
    renameSync(join(received(server), "kitchen"), elsewhere);
    symlinkSync(elsewhere, join(received(server), "kitchen"));
    const files = (await filesUnder(elsewhere)).length;
    await untilExpired(server);
    await server.restart({ flags: { "keep-recordings": "1s", "sync-seconds": 1 } });
    await server.untilLogged("a recording cannot be removed");
    expect((await filesUnder(elsewhere)).length).toBe(files);
    expect((await allRecordings(server.httpBase)).length).toBe(1);
  });
});
