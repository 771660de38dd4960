/** The server is killed amid recordings. After the next start every file is whole, and at most a second is missing. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import {
  adpcmFormat,
  countingPayload,
  type DeviceFormat,
  IngestDevice,
  isCounting,
  pcmFormat,
} from "../harness/peers/ingest-device.ts";
import {
  joinedFrames,
  joinedSamples,
  type RecordedSegment,
  recordedSegments,
} from "../harness/recorded-files.ts";
import { allRecordings, type ListedRecording } from "../harness/http/recordings.ts";
import { TestServer } from "../harness/server.ts";

const roundsLimitMs = 180_000;
setDefaultTimeout(roundsLimitMs);

const serversAtOnce = 5;
const roundsOfServer = 10;
const streams = 20;
const frameMs = 20;
/** The promise: a crash costs no more than this. */
const lossMs = 1000;
const frameSamples = 320;

const golden = new URL("../../../data/golden/audioop-high.adpcm", import.meta.url);
const coded = Buffer.from(await Bun.file(golden).arrayBuffer());
const codedFrames = Math.floor(coded.length / 164);

interface Stream {
  device: IngestDevice;
  hwid: string;
  format: DeviceFormat;
  /** Send time of each frame, by this process's clock in ms. */
  sentAt: number[];
}

function payloadOf(format: DeviceFormat, frame: number): Buffer {
  if (format.codec === 0) return countingPayload(frame * frameSamples, frameSamples);
  const at = (frame % codedFrames) * 164;
  return coded.subarray(at, at + 164);
}

async function openStreams(server: TestServer, round: string): Promise<Stream[]> {
  const opening = Array.from({ length: streams }, async (_, index) => {
    const format = { ...(index % 2 === 0 ? pcmFormat : adpcmFormat), streamId: index };
    const hwid = `${round}-${index}`;
    return { device: await IngestDevice.open(server.httpBase, format, hwid), hwid, format, sentAt: [] };
  });
  return await Promise.all(opening);
}

/** Sends in real time until `end` or until the connection ends. */
async function send(stream: Stream, end: number, random: Random): Promise<void> {
  const began = performance.now() - random.int(0, frameMs);
  while (performance.now() < end && stream.device.socket.isOpen) {
    const due = Math.floor((performance.now() - began) / frameMs);
    while (stream.sentAt.length < due) {
      stream.device.send(payloadOf(stream.format, stream.sentAt.length));
      stream.sentAt.push(performance.now());
    }
    await Bun.sleep(frameMs / 2);
  }
}

function faultsOf(server: TestServer, stream: Stream, killedAt: number, listed: ListedRecording[]): string[] {
  const folder = join(server.folder, "received", stream.hwid);
  const segments = existsSync(folder) ? recordedSegments(folder) : [];
  const frames = joinedFrames(segments);
  const samples = joinedSamples(segments);
  const safe = stream.sentAt.filter((time) => time < killedAt - lossMs).length;
  const faults: string[] = [];
  if (frames.some((frame, index) => frame.seq !== index)) faults.push("frames are missing or duplicated");
  if (frames.length < safe) faults.push(`${frames.length} of ${safe} frames older than the promise`);
  if (samples.length < safe * frameSamples) faults.push(`${samples.length} samples of ${safe} safe frames`);
  if (samples.length > frames.length * frameSamples) faults.push("more samples than frames have");
  if (stream.format.codec === 0 && !isCounting(samples)) faults.push("samples are missing or duplicated");
  for (const segment of segments)
    if (!isListed(segment, listed)) faults.push(`${segment.name} is not listed`);
  return faults.map((fault) => `${stream.hwid}: ${fault}`);
}

function isListed(segment: RecordedSegment, listed: ListedRecording[]): boolean {
  return listed.some(
    (each) =>
      each.bin.path.endsWith(`/${segment.name}.bin`) &&
      each.bin.sha256 === sha256(segment.bin) &&
      each.wav.sha256 === sha256(segment.wav) &&
      each.frames === segment.frames.length &&
      each.samples === segment.samples.length,
  );
}

/** One round: kills the running server and starts it again. */
async function crashRound(server: TestServer, round: string, random: Random): Promise<string[]> {
  const all = await openStreams(server, round);
  const end = performance.now() + random.int(20, 1700);
  await Promise.all(all.map(async (stream) => await send(stream, end, random)));
  const killedAt = performance.now();
  if (server.isRunning) await server.kill9();
  for (const { device } of all) device[Symbol.dispose]();
  await server.restart({ env: {} });
  const faults: string[] = [];
  for (const stream of all) {
    const listed = await allRecordings(server.httpBase, `device=${stream.hwid}`);
    faults.push(...faultsOf(server, stream, killedAt, listed));
  }
  return faults;
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
        const all = await openStreams(server, `p${index}-${turn}`).catch(() => []);
        const end = performance.now() + 1700;
        await Promise.all(all.map(async (stream) => await send(stream, end, random)));
        const killedAt = Math.max(0, ...all.flatMap((stream) => stream.sentAt.slice(-1)));
        if (server.isRunning) await server.kill9();
        await server.restart({ env: {} });
        const listed = await allRecordings(server.httpBase);
        const faults = all.flatMap((stream) => faultsOf(server, stream, killedAt, listed));
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
  expect(server.log).toContain("recordings repaired entered=1 removed=0");
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
