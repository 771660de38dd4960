/** Recorded streams on disk and in the catalog: rotation, nibble order, gaps, full disks. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import {
  adpcmFormat,
  countingPayload,
  IngestDevice,
  isCounting,
  pcmFormat,
} from "../harness/peers/ingest-device.ts";
import { joinedFrames, joinedSamples, recordedSegments } from "../harness/recorded-files.ts";
import { allRecordings, recordingsPage } from "../harness/http/recordings.ts";
import { TestServer } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

const golden = new URL("../../../data/golden/", import.meta.url);
const goldenBytes = async (name: string) =>
  new Uint8Array(await Bun.file(new URL(name, golden)).arrayBuffer());
const quickFlags = { "rotate-seconds": 1, "sync-seconds": 1 };
const receivedOf = (server: TestServer, device: string) => join(server.folder, "received", device);

/** Sends a frame each 10 ms until the server closes; returns the code. */
async function sendUntilClosed(device: IngestDevice): Promise<number> {
  for (let frame = 0; device.socket.received.length === 0 && frame < 400; frame++) {
    device.send(countingPayload(frame * 320, 320));
    await Bun.sleep(10);
  }
  return (await device.closed()).code;
}

async function untilEnded(server: TestServer, streams: number): Promise<void> {
  const count = () => server.log.match(/a recording ended/g)?.length ?? 0;
  await until(
    `${streams} recordings to end`,
    10_000,
    () => count() >= streams,
    () => server.log,
  );
}

function pieces(bytes: Uint8Array, length: number): Uint8Array[] {
  return Array.from({ length: Math.floor(bytes.length / length) }, (_, index) =>
    bytes.subarray(index * length, (index + 1) * length),
  );
}

test(
  "no sample is lost or duplicated across rotations, whenever frames arrive",
  seeded(async (random) => {
    await using server = await TestServer.start({ flags: quickFlags });
    const streams = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const channels = 1 + (index % 2);
        const format = { ...pcmFormat, streamId: index, channels };
        const device = await IngestDevice.open(server.httpBase, format, `rotating-${index}`);
        return { device, samples: 0, seed: new Random(random.u32()) };
      }),
    );
    await Promise.all(
      streams.map(async (stream) => {
        const { device, seed } = stream;
        const end = performance.now() + 3500;
        while (performance.now() < end) {
          for (let burst = seed.int(1, 5); burst > 0; burst--) {
            const length = seed.int(1, 320) * device.format.channels;
            device.send(countingPayload(stream.samples, length));
            stream.samples += length;
          }
          await Bun.sleep(seed.int(0, 40));
        }
        await device.close();
      }),
    );
    await untilEnded(server, streams.length);
    for (const [index, { device, samples }] of streams.entries()) {
      const segments = recordedSegments(receivedOf(server, `rotating-${index}`));
      expect(segments.length).toBeGreaterThanOrEqual(4);
      expect(joinedSamples(segments).length).toBe(samples);
      expect(isCounting(joinedSamples(segments))).toBe(true);
      const frames = joinedFrames(segments);
      expect(frames.map((frame) => frame.seq)).toEqual(Array.from({ length: device.seq }, (_, seq) => seq));
      for (const { frames, samples } of segments) {
        const payloads = Buffer.concat(frames.map((frame) => frame.payload));
        expect(payloads.equals(Buffer.from(samples.buffer))).toBe(true);
      }
    }
  }),
);

test("a segment is finished and listed when its time is over, though no frame follows", async () => {
  await using server = await TestServer.start({ flags: quickFlags });
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "quiet");
  device.send(countingPayload(0, 320));
  device.send(countingPayload(320, 320));
  const [first] = await untilListed(server, 1);
  expect([first!.frames, first!.samples]).toEqual([2, 640]);
  const [segment] = recordedSegments(receivedOf(server, "quiet"));
  expect(sha256(segment!.wav)).toBe(first!.wav.sha256);
  device.send(countingPayload(640, 320));
  await untilListed(server, 2);
  await device.close();
  await untilEnded(server, 1);
  const segments = recordedSegments(receivedOf(server, "quiet"));
  expect(segments.map(({ frames }) => frames.length)).toEqual([2, 1]);
  expect(isCounting(joinedSamples(segments))).toBe(true);
  expect(server.log).not.toContain("failed");
});

/** Drops the first sample of each SoX block, which is the predictor itself: frames do not have it. */
async function expectedOf(file: string, channels: number, frameSamples: number): Promise<Int16Array> {
  const all = new Int16Array((await goldenBytes(`${file}.s16le`)).slice().buffer);
  if (!file.startsWith("sox")) return all;
  const block = (frameSamples + 1) * channels;
  const blocks = Array.from({ length: Math.floor(all.length / block) }, (_, index) =>
    all.subarray(index * block + channels, (index + 1) * block),
  );
  return Int16Array.from(blocks.flatMap((samples) => Array.from(samples)));
}

describe("the nibble order of ADPCM from an independent encoder", () => {
  const cases = [
    {
      name: "high first, by audioop",
      file: "audioop-high",
      channels: 1,
      frameBytes: 164,
      frameSamples: 320,
      found: ["high", "matched"],
    },
    {
      // Its blocks are not continuous as frames are: each block's predictor is a sample of its own.
      name: "low first, by SoX",
      file: "sox-mono-low",
      channels: 1,
      frameBytes: 256,
      frameSamples: 504,
      found: ["low", "fallback"],
    },
    {
      name: "low first in stereo, by SoX",
      file: "sox-stereo-low",
      channels: 2,
      frameBytes: 512,
      frameSamples: 504,
      found: ["low", "fallback"],
    },
  ] as const;
  for (const { name, file, channels, frameBytes, frameSamples, found } of cases) {
    test(`is detected, and each sample is right: ${name}`, async () => {
      await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
      const format = { ...adpcmFormat, channels, frameSamples };
      const device = await IngestDevice.open(server.httpBase, format, "coder");
      const payloads = pieces(await goldenBytes(`${file}.adpcm`), frameBytes);
      for (const payload of payloads) device.send(payload);
      await device.close();
      await untilEnded(server, 1);
      const [segment, ...others] = recordedSegments(receivedOf(server, "coder"));
      expect(others).toEqual([]);
      expect(segment!.frames.map((frame) => new Uint8Array(frame.payload))).toEqual(
        payloads.map((payload) => payload.slice()),
      );
      expect(segment!.samples).toEqual(await expectedOf(file, channels, frameSamples));
      const listed = await untilListed(server, 1);
      expect([listed[0]!.nibbleOrder, listed[0]!.nibbleOrderBy]).toEqual([...found]);
      await server.untilLogged("nibble order streamId=7 device=coder ");
      await server.untilLogged(` order=${found[0]} by=${found[1]}`);
    });
  }

  test("is not detected if the configuration sets it", async () => {
    await using server = await TestServer.start({ flags: { "sync-seconds": 1, "adpcm-nibbles": "high" } });
    const device = await IngestDevice.open(server.httpBase, adpcmFormat, "forced");
    const [first] = pieces(await goldenBytes("audioop-high.adpcm"), 164);
    device.send(first!);
    await device.close();
    const listed = await untilListed(server, 1);
    expect([listed[0]!.nibbleOrder, listed[0]!.nibbleOrderBy]).toEqual(["high", "forced"]);
  });
});

async function untilListed(server: TestServer, recordings: number) {
  return await until("the recordings in the catalog", 10_000, async () => {
    const listed = await allRecordings(server.httpBase);
    return listed.length >= recordings && listed;
  });
}

function expectTrue(server: TestServer, each: Awaited<ReturnType<typeof allRecordings>>[0], before: number) {
  for (const file of [each.bin, each.wav]) {
    const bytes = readFileSync(join(server.folder, "received", file.path));
    expect({ bytes: bytes.length, sha256: sha256(bytes) }).toEqual({
      bytes: file.bytes,
      sha256: file.sha256,
    });
  }
  expect(each.wav.bytes).toBe(44 + 2 * each.samples * each.channels);
  expect(each).toMatchObject({ codec: "pcm", sampleRate: 16_000, channels: 1, nibbleOrder: null });
  expect(each.bin.path.replace(/bin$/, "wav")).toBe(each.wav.path);
  const [startedAt, endedAt] = [Date.parse(each.startedAt), Date.parse(each.endedAt)];
  expect(startedAt).toBeGreaterThanOrEqual(before);
  expect(endedAt).toBeGreaterThanOrEqual(startedAt);
  expect(endedAt).toBeLessThanOrEqual(Date.now());
}

describe("the catalog", () => {
  test("describes each recording correctly, by page, by device and by time", async () => {
    await using server = await TestServer.start({ flags: quickFlags });
    const before = Date.now();
    const devices = await Promise.all(
      ["AA:01", "BB:02", undefined].map(
        async (hwid, index) =>
          await IngestDevice.open(server.httpBase, { ...pcmFormat, streamId: 100 + index }, hwid),
      ),
    );
    for (let frame = 0; frame < 60; frame++) {
      for (const device of devices) {
        if (frame % 20 === 19) device.seq += 2;
        device.send(countingPayload(frame * 320, 320));
      }
      await Bun.sleep(20);
    }
    for (const device of devices) await device.close();
    await untilEnded(server, 3);
    const listed = await untilListed(server, 6);
    expect(listed.length).toBe(6);
    for (const each of listed) expectTrue(server, each, before);
    expect(listed.map((each) => each.startedAt)).toEqual(listed.map((each) => each.startedAt).sort());
    const sumOf = (device: string | null, field: "frames" | "samples" | "gaps" | "lostFrames") =>
      listed.filter((each) => each.device === device).reduce((sum, each) => sum + each[field], 0);
    for (const device of ["AA_01", "BB_02", null]) {
      const sums = (["frames", "samples", "gaps", "lostFrames"] as const).map((field) =>
        sumOf(device, field),
      );
      expect(sums).toEqual([60, 60 * 320, 3, 6]);
    }
    expect(await allRecordings(server.httpBase, "", 1)).toEqual(listed);
    expect(await allRecordings(server.httpBase, "", 4)).toEqual(listed);
    const ofDevice = await allRecordings(server.httpBase, "device=AA%3A01", 1);
    expect(ofDevice).toEqual(listed.filter((each) => each.device === "AA_01"));
    const middle = listed[3]!.startedAt;
    expect(await allRecordings(server.httpBase, `from=${middle}`)).toEqual(
      listed.filter((each) => each.startedAt >= middle),
    );
    expect(await allRecordings(server.httpBase, `to=${Date.parse(middle)}&device=BB_02`)).toEqual(
      listed.filter((each) => each.startedAt < middle && each.device === "BB_02"),
    );
    expect((await recordingsPage(server.httpBase, "device=%2F")).recordings).toEqual([]);
    await server.restart();
    expect(await allRecordings(server.httpBase)).toEqual(listed);
  });

  for (const query of [
    "limit=0",
    "limit=1001",
    "limit=x",
    "from=yesterday",
    "after=1",
    "after=1.2.3",
    "to=",
  ]) {
    test(`refuses ${query}`, async () => {
      await using server = await TestServer.start();
      const response = await fetch(`${server.httpBase}/api/recordings?${query}`);
      expect(response.status).toBe(400);
      expect((await fetch(`${server.httpBase}/api/recordings`, { method: "POST" })).status).toBe(405);
    });
  }
});

test("lost frames become silence if the configuration says so", async () => {
  await using server = await TestServer.start({ env: { WAVECACHE_FILL_GAPS: "true" } });
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "filled");
  device.send(countingPayload(1, 320));
  device.seq += 3;
  device.send(countingPayload(1 + 4 * 320, 320));
  await device.close();
  await untilEnded(server, 1);
  const samples = joinedSamples(recordedSegments(receivedOf(server, "filled")));
  expect(samples.length).toBe(5 * 320);
  expect(isCounting(samples.subarray(0, 320), 1)).toBe(true);
  expect(samples.subarray(320, 4 * 320).every((sample) => sample === 0)).toBe(true);
  expect(isCounting(samples.subarray(4 * 320), 1 + 4 * 320)).toBe(true);
});

test("streams with the same name and second get separate files", async () => {
  await using server = await TestServer.start();
  const devices = await Promise.all(
    Array.from({ length: 5 }, async () => await IngestDevice.open(server.httpBase, pcmFormat, "same-name")),
  );
  for (const [index, device] of devices.entries()) device.send(countingPayload(index * 1000, 320));
  await Promise.all(devices.map(async (device) => await device.close()));
  await untilEnded(server, 5);
  const segments = recordedSegments(receivedOf(server, "same-name"));
  const firsts = segments.map((segment) => segment.samples[0]! / 1000).sort();
  expect(firsts).toEqual([0, 1, 2, 3, 4]);
  for (const { samples } of segments) expect(isCounting(samples, samples[0])).toBe(true);
});

describe("a disk that fails", () => {
  test("and is full ends that stream with 1013, keeps its whole frames, and leaves other streams alone", async () => {
    const failpoints = "record.write*3=ENOSPC";
    await using server = await TestServer.start({
      flags: { workers: 1, "sync-seconds": 1 },
      env: { WAVECACHE_FAILPOINTS: failpoints },
    });
    const devices = await Promise.all(
      ["a", "b", "c"].map(
        async (hwid, index) =>
          await IngestDevice.open(server.httpBase, { ...pcmFormat, streamId: index }, hwid),
      ),
    );
    const closes = devices.map(async (device) => await device.closed(20_000));
    const open = new Set(devices);
    void Promise.all(
      closes.map(async (close, index) => await close.then(() => open.delete(devices[index]!))),
    );
    for (let frame = 0; frame < 120; frame++) {
      for (const device of open) device.send(countingPayload(device.seq * 320, 320));
      await Bun.sleep(20);
    }
    expect(open.size).toBe(2);
    const failed = devices.find((device) => !open.has(device))!;
    for (const device of open) device.socket.close(1000);
    const codes = (await Promise.all(closes)).map(({ code, reason }) => `${code} ${reason}`).sort();
    expect(codes).toEqual(["1000 ", "1000 ", "1013 disk is full"]);
    await untilEnded(server, 3);
    for (const [index, device] of devices.entries()) {
      const folder = receivedOf(server, ["a", "b", "c"][index]!);
      const samples = joinedSamples(readdirSync(folder).length === 0 ? [] : recordedSegments(folder));
      expect(isCounting(samples)).toBe(true);
      if (device !== failed) expect(samples.length).toBe(device.seq * 320);
    }
    await server.untilLogged(/a recording failed .*DISK_FULL/);
    expect(await (await fetch(`${server.httpBase}/healthz`)).text()).toBe("ok\n");
    const listed = await untilListed(server, 2);
    for (const each of listed) {
      const bytes = readFileSync(join(server.folder, "received", each.wav.path));
      expect(sha256(bytes)).toBe(each.wav.sha256);
    }
  });

  for (const [point, times] of [
    ["record.open", "ENOSPC"],
    ["record.write", "EIO"],
    ["record.close", "ENOSPC"],
  ] as const) {
    test(`at every ${point} makes the server refuse streams; the next start repairs the files`, async () => {
      await using server = await TestServer.start({
        flags: quickFlags,
        env: { WAVECACHE_FAILPOINTS: `${point}=${times}` },
      });
      const device = await IngestDevice.open(server.httpBase, pcmFormat, "unlucky");
      expect(await sendUntilClosed(device)).toBe(1013);
      expect(await (await fetch(`${server.httpBase}/healthz`)).text()).toBe("ok\n");
      await server.restart({ env: {} });
      const folder = receivedOf(server, "unlucky");
      const files = readdirSync(join(server.folder, "received"), { recursive: true }).filter((path) =>
        /\.(bin|wav)$/.test(String(path)),
      );
      const samples = files.length === 0 ? new Int16Array(0) : joinedSamples(recordedSegments(folder));
      expect(samples.length > 0).toBe(point === "record.close");
      expect(isCounting(samples)).toBe(true);
      const again = await IngestDevice.open(server.httpBase, { ...pcmFormat, streamId: 8 }, "lucky");
      again.send(countingPayload(0, 320));
      await again.close();
      await untilEnded(server, 1);
      expect(recordedSegments(receivedOf(server, "lucky")).length).toBe(1);
    });
  }
});

test("a shutdown finishes every recording and lists it", async () => {
  await using server = await TestServer.start();
  const devices = await Promise.all(
    Array.from({ length: 20 }, async (_, index) =>
      IngestDevice.open(server.httpBase, { ...pcmFormat, streamId: index }, `d-${index}`),
    ),
  );
  for (let frame = 0; frame < 10; frame++)
    for (const device of devices) device.send(countingPayload(frame * 320, 320));
  for (const device of devices) {
    device.socket.ping(Buffer.from("x"));
    await device.socket.next();
  }
  expect(await server.stop()).toBe(0);
  await server.restart();
  expect(server.log).not.toContain("recordings repaired");
  const listed = await allRecordings(server.httpBase);
  expect(listed.map((each) => [each.frames, each.samples])).toEqual(devices.map(() => [10, 3200]));
});

test("a writer crash costs its streams the last moments, and their files are repaired and listed", async () => {
  await using server = await TestServer.start({
    flags: { workers: 1, "sync-seconds": 1 },
    env: { WAVECACHE_FAILPOINTS: "record.write*4=exit-worker" },
  });
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "orphan");
  expect(await sendUntilClosed(device)).toBe(1013);
  const listed = await untilListed(server, 1);
  const samples = joinedSamples(recordedSegments(receivedOf(server, "orphan")));
  expect(listed[0]!.samples).toBe(samples.length);
  expect(samples.length).toBeGreaterThan(0);
  expect(isCounting(samples)).toBe(true);
  const again = await IngestDevice.open(server.httpBase, { ...pcmFormat, streamId: 8 }, "next");
  again.send(countingPayload(0, 320));
  await again.close();
  expect((await untilListed(server, 2)).length).toBe(2);
});
