/** Peaks, levels, sound and silence of devices, over HTTP. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { recordedSegments } from "../harness/recorded-files.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { microseconds, timelineOf } from "../harness/http/timeline.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);
useServers();

const quickFlags = { "rotate-seconds": 1, "sync-seconds": 1 };

/** 20 ms of a square wave. */
function squareWave(amplitude: number): Uint8Array {
  return new Uint8Array(
    Int16Array.from({ length: 320 }, (_, at) => (at % 8 < 4 ? amplitude : -amplitude)).buffer,
  );
}

function send(device: IngestDevice, amplitude: number, frames: number): void {
  for (let frame = 0; frame < frames; frame++) device.send(squareWave(amplitude));
}

interface PeaksJson {
  channels: number;
  sample_rate: number;
  samples_per_pixel: number;
  length: number;
  data: number[];
  gaps: [number, number][];
}

async function untilStart(server: TestServer, device: string): Promise<number> {
  const timeline = await until("the timeline", 10_000, () => timelineOf(server.httpBase, device));
  return microseconds(timeline.earliest) / 1000;
}

test("a recording in the list has its level", async () => {
  await using server = await TestServer.start({ flags: quickFlags });
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "level");
  send(device, 16_384, 25);
  send(device, 32_768, 5);
  await device.close();
  const recording = await until("the recording", 10_000, async () => {
    return (await allRecordings(server.httpBase))[0];
  });
  // 25 frames at half of the full scale, and 5 at all of it, whose positive samples wrap around.
  expect(recording).toMatchObject({ device: "level", peak: 0, rms: -4.3, clipped: 1_600 });
});

async function peaks(server: TestServer, device: string, query: string): Promise<PeaksJson> {
  const response = await fetch(`${server.httpBase}/api/recordings/${device}/peaks?${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as PeaksJson;
}

test("the peaks of a device are those of its samples, also after a crash and without their file", async () => {
  await using server = await TestServer.start({ flags: quickFlags });
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  for (let frame = 0; frame < 60; frame++) send(device, 100 * (frame + 1), 1);
  const folder = `${server.folder}/received`;
  await until("the samples to be flushed", 10_000, () => recordedSize(folder) > 60 * 640);
  await server.kill9();
  await server.restart({ flags: quickFlags });
  const start = await untilStart(server, "kitchen");
  const [{ name, samples }] = recordedSegments(folder) as [ReturnType<typeof recordedSegments>[0]];
  const query = `from=${start}&to=${start + 1200}&points=75`;
  const found = await peaks(server, "kitchen", query);
  expect(found).toMatchObject({ channels: 1, sample_rate: 16_000, samples_per_pixel: 256, gaps: [] });
  const expected = Array.from({ length: 75 }, (_, pixel) => {
    const own = samples.subarray(256 * pixel, 256 * pixel + 256);
    return [Math.min(...own), Math.max(...own)];
  }).flat();
  expect(found.data).toEqual(expected);

  const binary = await fetch(`${server.httpBase}/api/recordings/kitchen/peaks?${query}&format=dat`);
  expect(binary.headers.get("content-type")).toBe("application/octet-stream");
  const file = Buffer.from(await binary.arrayBuffer());
  expect(file.equals(readFileSync(`${folder}/${name}.dat`))).toBe(true);

  rmSync(`${folder}/${name}.dat`);
  expect((await peaks(server, "kitchen", query)).data.length).toBe(expected.length);
  await until(
    "the file of peaks to be made again",
    15_000,
    () => Bun.file(`${folder}/${name}.dat`).size === file.length,
  );
});

test("the levels of a device are those of its samples, also after they are lost", async () => {
  await using server = await TestServer.start({ flags: { ...quickFlags, "rotate-seconds": 10 } });
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  for (const amplitude of [16_384, 1_000, 32_767]) send(device, amplitude, 20);
  await device.close();
  const start = await untilStart(server, "kitchen");
  const levels = async () => {
    const response = await fetch(
      `${server.httpBase}/api/recordings/kitchen/levels?from=${start}&to=${start + 1600}&points=8`,
    );
    return await response.json();
  };
  const expected = {
    from: expect.any(String),
    pointMs: 200,
    length: 8,
    peak: [-6, -6, -30.5, -30.5, 0, 0, null, null],
    rms: [-6, -6, -30.5, -30.5, 0, 0, null, null],
    clipping: [[4, 6]],
  };
  expect(await levels()).toEqual(expected);
  const [{ name }] = recordedSegments(`${server.folder}/received`) as [
    ReturnType<typeof recordedSegments>[0],
  ];
  rmSync(`${server.folder}/received/${name}.lvl`);
  const path = `${server.folder}/received/${name}.lvl`;
  await until("the levels to be made again", 15_000, () => Bun.file(path).size === 12 + 2 * 12);
  expect(await levels()).toEqual(expected);
});

function recordedSize(folder: string): number {
  return [...new Bun.Glob("**/*.wav").scanSync(folder)].reduce(
    (sum, path) => sum + Bun.file(`${folder}/${path}`).size,
    0,
  );
}

test("a disk that is full for the peaks costs no audio, and they are made later", async () => {
  const env = { WAVECACHE_FAILPOINTS: "record.peaks*1=ENOSPC" };
  await using server = await TestServer.start({ flags: { ...quickFlags, workers: 1 }, env });
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  send(device, 1000, 20);
  await device.close();
  await server.untilLogged("the peaks of a recording cannot be written");
  await untilStart(server, "kitchen");
  const folder = `${server.folder}/received`;
  const [{ name, samples }] = recordedSegments(folder) as [ReturnType<typeof recordedSegments>[0]];
  expect(samples.length).toBe(20 * 320);
  await until("the peaks", 15_000, () => Bun.file(`${folder}/${name}.dat`).size === 24 + 4 * 25);
});

test("sound and silence are spans, with a threshold for each device", async () => {
  const flags = { ...quickFlags, "silence-seconds": 1, "silence-for": "garage=-20/1" };
  await using server = await TestServer.start({ flags });
  for (const [name, expected] of [
    ["kitchen", ["silence", "sound", "silence"]],
    ["garage", ["silence"]],
  ] as const) {
    using device = await IngestDevice.open(server.httpBase, pcmFormat, name);
    send(device, 10, 60);
    send(device, 1000, 30);
    send(device, 10, 60);
    await device.close();
    const spans = await until(`the spans of ${name}`, 10_000, async () => {
      const response = await fetch(`${server.httpBase}/api/recordings/${name}/sounds`);
      const page = (await response.json()) as {
        spans: { kind: string; start: string; end: string | null }[];
      };
      return page.spans.at(-1)?.end ? page.spans : undefined;
    });
    expect(spans.map(({ kind }) => kind)).toEqual([...expected]);
    expect(Date.parse(spans.at(-1)!.end!) - Date.parse(spans[0]!.start)).toBe(3000);
  }
});

test("live levels reach those who follow them, of the devices that they ask for", async () => {
  await using server = await TestServer.start({ flags: quickFlags });
  using kitchen = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen-1");
  using garage = await IngestDevice.open(server.httpBase, pcmFormat, "garage");
  const response = await fetch(`${server.httpBase}/api/live/levels?device=kitchen-*`);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let heard = "";
  const sending = setInterval(() => {
    send(garage, 5000, 2);
    send(kitchen, 16_384, 2);
  }, 40);
  while (!heard.includes('"device"')) heard += (await reader.read()).value ?? "";
  clearInterval(sending);
  await reader.cancel();
  expect(heard).toMatch(
    /event: levels\ndata: \{"at":\d+,"levels":\[\{"device":"kitchen-1","streamId":7,"peak":-6,"rms":-6,"clipped":0\}\]\}\n\n/,
  );
  expect(heard).not.toContain("garage");
});
