/** What recordings use: everything that their files take, from the first frame on. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { filesUnder } from "../harness/cache-folder.ts";
import { retentionReport } from "../harness/http/retention.ts";
import { adpcmFormat, countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const limitMs = 10_000;

async function bytesInFolder(server: TestServer): Promise<number> {
  const files = await filesUnder(join(server.folder, "received"));
  const recorded = files.filter(({ path }) => /\.(?:bin|wav|dat|lvl)$/.test(path));
  return recorded.reduce((sum, { size }) => sum + size, 0);
}

/** Waits until retention counts what is in the folder, give or take a frame. */
async function untilCounted(server: TestServer, slackBytes: number): Promise<{ unfinishedBytes: number }> {
  let said = "";
  return await until(
    "the bytes in the folder to be counted",
    limitMs,
    async () => {
      const { recordings } = await retentionReport(server.httpBase);
      const bytes = await bytesInFolder(server);
      said = `${bytes} ${JSON.stringify(recordings)}`;
      return bytes > 0 && Math.abs(bytes - recordings.bytes) <= slackBytes ? recordings : undefined;
    },
    () => said,
  );
}

test("open segments count with what they have so far, and finished ones with their peaks", async () => {
  await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  const devices = await Promise.all([
    IngestDevice.open(server.httpBase, pcmFormat, "kitchen"),
    IngestDevice.open(server.httpBase, { ...adpcmFormat, streamId: 8 }, "hall"),
  ]);
  for (let frame = 0; frame < 400; frame += 1) {
    devices[0]!.send(countingPayload(frame * 320, 320));
    devices[1]!.send(new Uint8Array(160));
  }
  const { unfinishedBytes } = await untilCounted(server, 10_000);
  expect(unfinishedBytes).toBeGreaterThan(400 * 640);
  for (const device of devices) await device.close();
  await until("both recordings to be in the catalog", limitMs, async () => {
    const { recordings } = await retentionReport(server.httpBase);
    return recordings.count === 2 && recordings.unfinishedBytes === 0;
  });
  await untilCounted(server, 0);
});

test("what is being recorded makes older recordings go in time", async () => {
  const flags = { "sync-seconds": 1, policy: "recordings/kitchen expire 1MiB" };
  await using server = await TestServer.start({ flags });
  const first = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  for (let frame = 0; frame < 500; frame += 1) first.send(countingPayload(frame * 320, 320));
  await first.close();
  const count = async () => (await retentionReport(server.httpBase)).recordings.count;
  await until("a recording", limitMs, async () => (await count()) === 1);
  const second = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  for (let frame = 0; frame < 500; frame += 1) second.send(countingPayload(frame * 320, 320));
  // The second one is still open.
  await until("the first one to go", limitMs, async () => (await count()) === 0);
  expect((await retentionReport(server.httpBase)).recordings.unfinishedBytes).toBeGreaterThan(500 * 640);
});
