/** The audio of a period over HTTP while it is recorded, and until an end that is still to come. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { countingPayload, IngestDevice, isCounting, pcmFormat } from "../harness/peers/ingest-device.ts";
import { scrape } from "../harness/http/exposition.ts";
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

/** Sends one frame of 20 ms after the other, as fast as a microphone would. */
class Microphone {
  readonly device: IngestDevice;
  frames = 0;
  readonly #timer: Timer;

  constructor(device: IngestDevice) {
    this.device = device;
    const startMs = performance.now();
    this.#timer = setInterval(() => this.#sendUntil(performance.now() - startMs), 10);
  }

  static async open(name: string, base = server.httpBase): Promise<Microphone> {
    const microphone = new Microphone(await IngestDevice.open(base, pcmFormat, name));
    // A device is known by its first audio.
    await until("the first audio", 10_000, async () => {
      const now = Date.now();
      const { status } = await fetch(`${base}/api/recordings/${name}/audio?from=${now - 1000}&to=${now}`, {
        method: "HEAD",
      });
      return status === 200;
    });
    return microphone;
  }

  /** Stops to send, and stays connected. */
  pause(): void {
    clearInterval(this.#timer);
  }

  async close(): Promise<void> {
    this.pause();
    await this.device.close();
  }

  [Symbol.dispose](): void {
    this.pause();
    this.device[Symbol.dispose]();
  }

  #sendUntil(ms: number): void {
    for (; this.frames * 20 <= ms; this.frames++) this.device.send(countingPayload(this.frames * 320, 320));
  }
}

async function get(name: string, fromMs: number, toMs: number, query = ""): Promise<Response> {
  const period = `from=${Math.round(fromMs)}&to=${Math.round(toMs)}`;
  return await fetch(`${server.httpBase}/api/recordings/${name}/audio?${period}${query}`);
}

async function samplesOf(response: Response, headerBytes = 44): Promise<Int16Array> {
  return new Int16Array((await response.arrayBuffer()).slice(headerBytes));
}

async function followers(): Promise<number | undefined> {
  return (await scrape(server.httpBase))?.sum("wavecache_period_followers");
}

/** The counting part of samples with silence around it. */
function heardIn(samples: Int16Array): Int16Array {
  const first = samples.findIndex((sample) => sample !== 0);
  const past = samples.findLastIndex((sample) => sample !== 0) + 1;
  return samples.slice(first, past);
}

test("a period that ends later is followed to its end, sample for sample what is recorded", async () => {
  using microphone = await Microphone.open("followed");
  const from = Date.now() - 200;
  const to = from + 3_200;
  const response = await get("followed", from, to);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "audio/wav"]);
  expect(await followers()).toBe(1);
  expect([response.headers.get("content-length"), response.headers.get("etag")]).toEqual([null, null]);
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(Date.now()).toBeGreaterThanOrEqual(to);
  expect(bytes.length).toBe(44 + 3_200 * 32);
  expect(new DataView(bytes.buffer).getUint32(40, true)).toBe(3_200 * 32);
  const heard = heardIn(new Int16Array(bytes.buffer, 44));
  expect(heard.length).toBeGreaterThan(2_000 * 16);
  expect(isCounting(heard, 1)).toBe(true);
  expect(await followers()).toBe(0);
  await microphone.close();
  const later = await until("the recordings", 10_000, async () => {
    const again = await get("followed", from, to);
    return again.ok ? new Uint8Array(await again.arrayBuffer()) : undefined;
  });
  expect(Buffer.compare(later, bytes)).toBe(0);
});

test("the rest is silence, is left out, or ends the connection, once the device has left", async () => {
  using microphone = await Microphone.open("leaves");
  await Bun.sleep(300);
  const from = Date.now() - 150;
  const to = from + 1_500;
  const silent = get("leaves", from, to);
  const dense = get("leaves", from, to, "&gaps=skip&format=pcm");
  const failing = get("leaves", from, to, "&gaps=fail");
  await Bun.sleep(400);
  await microphone.close();
  const samples = await samplesOf(await silent);
  expect(samples).toHaveLength(1_500 * 16);
  expect(samples.at(-1)).toBe(0);
  const heard = samples.slice(0, samples.findLastIndex((sample) => sample !== 0) + 1);
  expect(heard.length).toBeGreaterThan(300 * 16);
  expect(isCounting(heard, heard[0])).toBe(true);
  expect(await samplesOf(await dense, 0)).toEqual(heard);
  const cut = await failing.then((response) => response.arrayBuffer()).catch((error: unknown) => error);
  expect(cut).toBeInstanceOf(Error);
});

test("a segment in progress is part of a period, as far as its audio has arrived", async () => {
  await using own = await TestServer.start({ flags: { "rotate-seconds": 600 } });
  using microphone = await Microphone.open("open", own.httpBase);
  const from = Date.now() - 1_000;
  await until("some audio", 10_000, async () => microphone.frames >= 50);
  microphone.pause();
  const period = `from=${from}&to=${Date.now() - 100}`;
  const url = `${own.httpBase}/api/recordings/open/audio?${period}&gaps=skip&format=pcm`;
  const samples = await samplesOf(await fetch(url), 0);
  expect(samples.length).toBeGreaterThan(700 * 16);
  expect(isCounting(samples)).toBe(true);
});

test("a period to come of an unknown device, of a year, or resampled is refused", async () => {
  const later = Date.now() + 60_000;
  expect((await get("nobody", later - 120_000, later)).status).toBe(404);
  using microphone = await Microphone.open("refused");
  const url = `${server.httpBase}/api/recordings/refused/audio?from=${later}&to=${later + 10}`;
  const head = await until("the recording", 10_000, async () => {
    const answer = await fetch(url, { method: "HEAD" });
    return answer.ok ? answer : undefined;
  });
  expect(head.headers.get("content-length")).toBeNull();
  const refusal = await get("refused", later - 61_000, later, "&resample=8000");
  expect(await refusal.json()).toMatchObject({ error: { code: "BAD_REQUEST", parameter: "resample" } });
  const year = await get("refused", later, later + 366 * 86_400_000);
  expect(year.status).toBe(413);
  await microphone.close();
});
