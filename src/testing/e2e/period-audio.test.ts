/** The audio of a period over HTTP: cuts, ranges, formats, resampling, and the removal of periods. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { allRecordings } from "../harness/http/recordings.ts";
import { microseconds, timelineOf } from "../harness/http/timeline.ts";
import {
  countingPayload,
  type DeviceFormat,
  IngestDevice,
  isCounting,
  pcmFormat,
} from "../harness/peers/ingest-device.ts";
import { runClient } from "../harness/client-process.ts";
import { TestServer } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start({ flags: { "rotate-seconds": 1, "sync-seconds": 1 } });
});
afterAll(async () => {
  await server.dispose();
});

/** Records a sine at 48 kHz, of whole periods. Returns when the audio starts, in µs. */
async function recordSine(name: string, hertz: number, amplitude: number, frames: number): Promise<number> {
  using device = await IngestDevice.open(server.httpBase, { ...pcmFormat, sampleRate: 48_000 }, name);
  for (let frame = 0; frame < frames; frame++) {
    const sine = Int16Array.from({ length: 320 }, (_, at) =>
      Math.round(amplitude * Math.sin((2 * Math.PI * hertz * (320 * frame + at)) / 48_000)),
    );
    device.send(new Uint8Array(sine.buffer));
  }
  await device.close();
  const span = await until("all of the span, in the past", 10_000, async () => {
    const [found] = (await timelineOf(server.httpBase, name))?.spans ?? [];
    const isOver = found?.samples === 320 * frames && Date.parse(found.end) < Date.now();
    return isOver ? found : undefined;
  });
  return microseconds(span.start);
}

/** The amplitude of a frequency in samples that have whole periods of it. */
function amplitudeOf(samples: Int16Array, hertz: number, sampleRate: number): number {
  let [re, im] = [0, 0];
  for (const [at, sample] of samples.entries()) {
    re += sample * Math.cos((2 * Math.PI * hertz * at) / sampleRate);
    im += sample * Math.sin((2 * Math.PI * hertz * at) / sampleRate);
  }
  return (2 * Math.hypot(re, im)) / samples.length;
}

/** Records frames of a counting signal. Returns when the audio starts, in µs. */
async function record(name: string, frames: number, format: DeviceFormat = pcmFormat): Promise<number> {
  const before = (await timelineOf(server.httpBase, name))?.spans.length ?? 0;
  using device = await IngestDevice.open(server.httpBase, format, name);
  for (let frame = 0; frame < frames; frame++)
    device.send(countingPayload(frame * 320, 320 * format.channels));
  await device.close();
  const spans = await until("the span", 10_000, async () => {
    const found = (await timelineOf(server.httpBase, name))?.spans ?? [];
    return found.length > before ? found : undefined;
  });
  return microseconds(spans.at(-1)!.start);
}

const time = (us: number) => `${us / 1000}`;

async function get(name: string, fromUs: number, toUs: number, query = "", init: RequestInit = {}) {
  const period = `from=${time(fromUs)}&to=${time(toUs)}`;
  return await fetch(`${server.httpBase}/api/recordings/${name}/audio?${period}${query}`, init);
}

async function samplesOf(response: Response, headerBytes = 44): Promise<Int16Array> {
  const bytes = await response.arrayBuffer();
  return new Int16Array(bytes.slice(headerBytes));
}

async function codeOf(response: Response) {
  const { error } = (await response.json()) as { error: { code: string; at?: string; parameter?: string } };
  return { status: response.status, ...error };
}

test("a period is cut to the sample, with its length, its ETag and any range of its bytes", async () => {
  const start = await record("cut", 100);
  const [from, to] = [start + 500_125, start + 1_500_125];
  const whole = await get("cut", from, to);
  expect([whole.status, whole.headers.get("content-type")]).toEqual([200, "audio/wav"]);
  const bytes = new Uint8Array(await whole.clone().arrayBuffer());
  expect(bytes.length).toBe(44 + 32_000);
  const samples = await samplesOf(whole);
  expect(isCounting(samples, 8_002)).toBe(true);
  const head = await get("cut", from, to, "", { method: "HEAD" });
  expect(head.headers.get("content-length")).toBe(String(bytes.length));
  const etag = head.headers.get("etag")!;
  expect((await get("cut", from, to, "", { headers: { "if-none-match": etag } })).status).toBe(304);
  for (const [first, last] of [
    [0, 43],
    [40, 60],
    [20_001, 32_043],
    [44, 44],
  ] as const) {
    const part = await get("cut", from, to, "", {
      headers: { range: `bytes=${first}-${last}`, "if-range": etag },
    });
    expect([part.status, part.headers.get("content-range")]).toEqual([
      206,
      `bytes ${first}-${last}/${bytes.length}`,
    ]);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.slice(first, last + 1));
  }
  const pcm = await get("cut", from, to, "&format=pcm");
  expect(await samplesOf(pcm, 0)).toEqual(samples);
});

test("a long period arrives as it was sent, however slowly it is read", async () => {
  const frames = 3_000;
  const start = await record("long", frames, { ...pcmFormat, sampleRate: 192_000 });
  const end = start + (frames * 320_000) / 192;
  await until("the end of the period", 10_000, async () => Date.now() * 1000 > end);
  const response = await get("long", start, end, "&format=pcm");
  const parts: Uint8Array[] = [];
  for await (const part of response.body!) {
    parts.push(part);
    if (parts.length % 8 === 0) await Bun.sleep(5);
  }
  const samples = new Int16Array(new Uint8Array(Buffer.concat(parts)).buffer);
  expect([samples.length, isCounting(samples)]).toEqual([frames * 320, true]);
});

test("gaps are silence, are left out, or fail with the time at which audio is missing", async () => {
  const start = await record("gaps", 10);
  const end = start + 200_000;
  const silent = await samplesOf(await get("gaps", start - 100_000, end + 100_000));
  expect(silent).toHaveLength(6_400);
  expect([...silent.slice(0, 1_600), ...silent.slice(4_800)].every((sample) => sample === 0)).toBe(true);
  expect(isCounting(silent.slice(1_600, 4_800))).toBe(true);
  const dense = await samplesOf(await get("gaps", start - 100_000, end + 100_000, "&gaps=skip"));
  expect([dense.length, isCounting(dense)]).toEqual([3_200, true]);
  expect((await get("gaps", start, end, "&gaps=fail")).status).toBe(200);
  const failure = await codeOf(await get("gaps", start, end + 1_000, "&gaps=fail"));
  expect(failure).toMatchObject({ status: 409, code: "RECORDING_GAP" });
  expect(microseconds(failure.at!)).toBe(end);
  const manifest = `${server.httpBase}/api/recordings/gaps/audio/manifest?from=${time(start)}&to=${time(end + 1_000)}`;
  expect(await (await fetch(manifest)).json()).toMatchObject({
    sampleRate: 16_000,
    channels: 1,
    samples: 3_216,
    parts: [
      { offset: 0, samples: 3_200, streamId: 7, sampleRate: 16_000 },
      { offset: 3_200, samples: 16, recordedAt: null },
    ],
  });
});

test("a change of the format fails with its time, unless the audio is resampled", async () => {
  const start = await record("formats", 10);
  const other = { ...pcmFormat, sampleRate: 48_000, channels: 2 };
  const second = await record("formats", 30, other);
  const failure = await codeOf(await get("formats", start, second + 200_000));
  expect(failure).toMatchObject({ status: 409, code: "FORMAT_CHANGES" });
  expect(microseconds(failure.at!)).toBe(second);
  const to = second + 200_000;
  const samples = await samplesOf(await get("formats", start, to, "&resample=8000"));
  expect(samples).toHaveLength(2 * Math.round(((to - start) * 8) / 1000));
  const head = await get("formats", start, to, "&resample=8000", { method: "HEAD" });
  expect(head.headers.get("content-length")).toBe(String(44 + 2 * samples.length));
});

test("resampled audio has the length and the level of what was recorded", async () => {
  const start = await recordSine("tone", 1_000, 8_000, 150);
  for (const rate of [8_000, 16_000, 44_100, 96_000]) {
    const samples = await samplesOf(await get("tone", start, start + 1_000_000, `&resample=${rate}`));
    expect(samples).toHaveLength(rate);
    const inner = samples.subarray(rate / 10, rate - rate / 10);
    expect(amplitudeOf(inner, 1_000, rate)).toBeWithin(7_900, 8_100);
    const noise = inner.map(
      (sample, at) => sample - 8_000 * Math.sin((2 * Math.PI * 1_000 * (at + rate / 10)) / rate),
    );
    expect(Math.max(...noise.map(Math.abs))).toBeLessThan(100);
  }
});

test("resampled audio has no tone of the frequencies that its rate cannot have", async () => {
  const start = await recordSine("alias", 5_000, 8_000, 150);
  const samples = await samplesOf(await get("alias", start, start + 1_000_000, "&resample=8000"));
  const inner = samples.subarray(800, 7_200);
  // Every sixth sample would be a tone at 3 kHz, as loud as the one at 5 kHz.
  expect(amplitudeOf(inner, 3_000, 8_000)).toBeLessThan(8_000 / 1_000);
  expect(Math.max(...inner.map(Math.abs))).toBeLessThan(8_000 / 500);
  const kept = await samplesOf(await get("alias", start, start + 1_000_000, "&resample=16000"));
  expect(amplitudeOf(kept.subarray(1_600, 14_400), 5_000, 16_000)).toBeWithin(7_900, 8_100);
});

test("a period without a start, of nobody, or of a year is refused", async () => {
  await record("refused", 1);
  const url = `${server.httpBase}/api/recordings/refused/audio`;
  expect(await codeOf(await fetch(`${url}?from=2026-01-01`))).toMatchObject({ status: 400, parameter: "to" });
  expect(await codeOf(await fetch(`${url}?to=2026-01-01`))).toMatchObject({ status: 400, parameter: "from" });
  expect(await codeOf(await get("nobody", 1e15, 2e15))).toMatchObject({ code: "RECORDING_UNKNOWN" });
  expect(await codeOf(await get("refused", 0, 4e15))).toMatchObject({ status: 413, code: "READ_TOO_LARGE" });
});

test("a period is removed with its files, and so is a single recording; nothing comes again after a restart", async () => {
  await using own = await TestServer.start({ flags: { "sync-seconds": 1 } });
  for (let count = 0; count < 3; count++) {
    using device = await IngestDevice.open(own.httpBase, pcmFormat, "shed");
    device.send(countingPayload(0, 320));
    await device.close();
  }
  const rows = await until("the recordings", 10_000, async () => {
    const found = await allRecordings(own.httpBase);
    return found.length === 3 ? found : undefined;
  });
  const { spans } = (await timelineOf(own.httpBase, "shed"))!;
  const remove = async (target: string) => {
    const response = await fetch(`${own.httpBase}/api/recordings/${target}`, { method: "DELETE" });
    return [response.status, await response.json()];
  };
  // With two pixels of peaks, and one level.
  const bytes = rows[0]!.bin.bytes + rows[0]!.wav.bytes + (24 + 4 * 2) + (12 + 2);
  const cutShort = `shed?from=${spans[0]!.start}&to=${microseconds(spans[0]!.end) / 1000 - 1}`;
  expect(await remove(cutShort)).toEqual([200, { removed: 0, bytes: 0 }]);
  const period = `shed?from=${spans[0]!.start}&to=${spans[1]!.end}`;
  expect(await remove(period)).toEqual([200, { removed: 2, bytes: 2 * bytes }]);
  expect((await timelineOf(own.httpBase, "shed"))!.spans).toEqual(spans.slice(2));
  await own.restart();
  expect((await allRecordings(own.httpBase)).map(({ id }) => id)).toEqual([rows[2]!.id]);
  expect(await remove(String(rows[2]!.id))).toEqual([200, { removed: 1, bytes }]);
  expect((await remove(String(rows[2]!.id)))[0]).toBe(404);
  expect(readdirSync(join(own.folder, "received", "shed"))).toEqual([]);
  expect(await timelineOf(own.httpBase, "shed")).toBeUndefined();
});

test("the client exports a period to a file and prints a timeline", async () => {
  const start = await record("client", 50);
  const path = join(server.folder, "cut.wav");
  const times = [
    "--from",
    new Date(start / 1000).toISOString(),
    "--to",
    new Date(start / 1000 + 500).toISOString(),
  ];
  const run = (...args: string[]) => runClient(["recordings", ...args, "-s", server.httpBase]);
  const exported = await run("export", "client", ...times, "-o", path);
  expect(exported).toEqual({ out: `${path}: 16044 bytes\n`, err: "", code: 0 });
  const samples = new Int16Array((await Bun.file(path).arrayBuffer()).slice(44));
  expect([samples.length, isCounting(samples)]).toEqual([8_000, true]);
  expect((await run("export", "client", ...times, "-o", path)).code).not.toBe(0);
  const timeline = await run("timeline", "client", "--json");
  expect(JSON.parse(timeline.out)).toMatchObject({
    device: "client",
    spans: [{ sampleRate: 16_000 }],
    gaps: [],
  });
  expect((await run("timeline", "client")).out).toContain("audio, 16000 Hz x1");
  expect((await run("timeline", "nobody")).err).toContain("no audio of nobody");
});

test("recordings whose files were removed by hand leave a gap, with one warning", async () => {
  const start = await record("byhand", 10);
  rmSync(join(server.folder, "received", "byhand"), { recursive: true });
  expect(existsSync(join(server.folder, "received"))).toBe(true);
  const samples = await samplesOf(await get("byhand", start, start + 200_000));
  expect([samples.length, samples.every((sample) => sample === 0)]).toEqual([3_200, true]);
  await server.untilLogged(/no longer listed.*first=byhand\//);
  expect(await timelineOf(server.httpBase, "byhand")).toBeUndefined();
});
