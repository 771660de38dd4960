/** The server is killed amid recordings. After the next start every file is whole, and at most a second is missing. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Random, seeded } from "../harness/bytes.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { recordedSegments } from "../harness/recorded-files.ts";
import { lastSentAt, openDevices, recordingFaults, sendInRealTime } from "../harness/recording-ledger.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { TestServer } from "../harness/server.ts";

const roundsLimitMs = 180_000;
setDefaultTimeout(roundsLimitMs);

const serversAtOnce = 5;
const roundsOfServer = 10;
const streams = 20;
/** Of the devices' formats. */
const frameMs = 20;
const frameSamples = 320;

/** One round: kills the running server and starts it again. */
async function crashRound(server: TestServer, round: string, random: Random): Promise<string[]> {
  const all = await openDevices(server, round, streams);
  const end = performance.now() + random.int(20, 1700);
  await Promise.all(all.map(async (each) => await sendInRealTime(each, end, random)));
  const killedAt = performance.now();
  if (server.isRunning) await server.kill9();
  for (const { device } of all) device[Symbol.dispose]();
  await server.restart({ env: {} });
  return await recordingFaults(server, all, killedAt);
}

test(
  `killed at random moments in ${serversAtOnce * roundsOfServer} rounds, the server loses at most a second and every WAV opens`,
  seeded(async (random) => {
    const seeds = Array.from({ length: serversAtOnce }, () => new Random(random.u32()));
    const faults = await Promise.all(
      seeds.map(async (own) => {
        const flags = { "rotate-seconds": 1, "sync-seconds": 1, workers: 1 };
        await using server = await TestServer.start({ flags });
        const found: string[] = [];
        for (let round = 0; round < roundsOfServer && found.length === 0; round++) {
          found.push(...(await crashRound(server, `r${round}`, own)));
        }
        return found;
      }),
    );
    expect(faults.flat()).toEqual([]);
  }),
);

test(
  "killed while it opens, writes or closes files, the server loses at most a second and every WAV opens",
  seeded(async (random) => {
    await using server = await TestServer.start({ flags: { "rotate-seconds": 1, "sync-seconds": 1 } });
    for (const [index, point] of ["record.open", "record.write", "record.close"].entries()) {
      for (let turn = 0; turn < 2; turn++) {
        const failpoint = `${point}*${random.int(1, 15)}=kill`;
        await server.restart({ env: { WAVECACHE_FAILPOINTS: failpoint } });
        const all = await openDevices(server, `p${index}-${turn}`, streams).catch(() => []);
        const end = performance.now() + 1700;
        await Promise.all(all.map(async (each) => await sendInRealTime(each, end, random)));
        const killedAt = lastSentAt(all);
        if (server.isRunning) await server.kill9();
        await server.restart({ env: {} });
        const faults = await recordingFaults(server, all, killedAt);
        expect(faults, failpoint).toEqual([]);
      }
    }
  }),
);

test("a repaired recording is listed with the content of its files", async () => {
  await using server = await TestServer.start();
  const device = await IngestDevice.open(server.httpBase, { ...pcmFormat, streamId: 42 }, "left");
  for (let frame = 0; frame < 60; frame++) {
    if (frame === 30) device.seq += 4;
    device.send(countingPayload(frame * frameSamples, frameSamples));
    await Bun.sleep(frameMs);
  }
  await server.kill9();
  const before = readFileSync(join(server.folder, "received", "left", binOf(server)));
  await server.restart();
  await server.untilLogged("recordings repaired entered=1 removed=0");
  const [listed, ...others] = await allRecordings(server.httpBase);
  const [segment] = recordedSegments(join(server.folder, "received", "left"));
  expect(others).toEqual([]);
  expect(segment!.bin.equals(before)).toBe(true);
  expect(listed).toMatchObject({
    device: "left",
    streamId: 42,
    codec: "pcm",
    frames: segment!.frames.length,
    samples: segment!.samples.length,
    gaps: 1,
    lostFrames: 4,
    nibbleOrder: null,
    nibbleOrderBy: null,
  });
  await server.restart();
  expect(server.log).not.toContain("recordings repaired");
  expect((await allRecordings(server.httpBase)).length).toBe(1);
});

function binOf(server: TestServer): string {
  const [name] = new Bun.Glob("*.bin").scanSync(join(server.folder, "received", "left"));
  return name!;
}
