/** Live listening to a recording in progress. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import {
  adpcmFormat,
  countingPayload,
  IngestDevice,
  isCounting,
  pcmFormat,
} from "../harness/peers/ingest-device.ts";
import { joinedSamples, recordedSegments } from "../harness/recorded-files.ts";
import { TestServer } from "../harness/server.ts";
import { testLimitMs, until, within } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

const frameSamples = 320;
const golden = new URL("../../../data/golden/", import.meta.url);

/** A listener that reads continuously. */
class Listener {
  readonly response: Response;
  readonly over: Promise<void>;
  #bytes = Buffer.alloc(0);

  static async open(server: TestServer, name: string): Promise<Listener> {
    return new Listener(await fetch(`${server.httpBase}/live/${name}.wav`));
  }

  private constructor(response: Response) {
    this.response = response;
    this.over = this.#read();
  }

  async #read(): Promise<void> {
    for await (const chunk of this.response.body!) this.#bytes = Buffer.concat([this.#bytes, chunk]);
  }

  get head(): Buffer {
    return this.#bytes.subarray(0, 44);
  }

  get samples(): Int16Array {
    const pcm = this.#bytes.subarray(44, this.#bytes.length - (this.#bytes.length % 2));
    return new Int16Array(new Uint8Array(pcm).buffer);
  }
}

/** Sends counting frames in real time while `wanted` returns true. */
async function sendWhile(device: IngestDevice, wanted: () => boolean): Promise<void> {
  while (wanted()) {
    device.send(countingPayload(device.seq * frameSamples, frameSamples));
    await Bun.sleep(20);
  }
}

async function sendFrames(device: IngestDevice, frames: number): Promise<void> {
  const end = device.seq + frames;
  await sendWhile(device, () => device.seq < end);
}

test("a listener hears the last 200 ms and then the stream to its end", async () => {
  await using server = await TestServer.start({ flags: { "rotate-seconds": 1 } });
  const device = await IngestDevice.open(server.httpBase, { ...pcmFormat, streamId: 55 }, "AA:BB");
  await sendFrames(device, 40);
  const byHwid = await Listener.open(server, "AA%3ABB");
  const byStream = await Listener.open(server, "55");
  for (const { response } of [byHwid, byStream]) {
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("audio/wav");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("content-length")).toBeNull();
  }
  await sendFrames(device, 100);
  const late = await Listener.open(server, "AA_BB");
  await sendFrames(device, 20);
  const sent = device.seq * frameSamples;
  await device.close();
  await within("the end of listening", 5000, Promise.all([byHwid.over, byStream.over, late.over]));
  for (const [listener, minSamples] of [
    [byHwid, 120 * frameSamples],
    [byStream, 120 * frameSamples],
    [late, 20 * frameSamples],
  ] as const) {
    expect(listener.head.toString("latin1", 0, 4)).toBe("RIFF");
    expect([listener.head.readUInt32LE(4), listener.head.readUInt32LE(40)]).toEqual([0xffffffff, 0xffffffff]);
    expect([listener.head.readUInt16LE(22), listener.head.readUInt32LE(24)]).toEqual([1, 16_000]);
    const { samples } = listener;
    expect(samples.length).toBeGreaterThanOrEqual(minSamples + 3200 - 2 * frameSamples);
    expect(isCounting(samples, samples[0])).toBe(true);
    expect(samples.at(-1)).toBe(((sent - 1) << 16) >> 16);
  }
  expect(late.samples.length).toBeLessThan(40 * frameSamples + 3200);
  const gone = await fetch(`${server.httpBase}/live/AA_BB.wav`);
  expect(gone.status).toBe(404);
});

/** The channels in the header of what is live under a name; undefined if nothing is. */
async function liveChannels(server: TestServer, name: string): Promise<number | undefined> {
  const leaver = new AbortController();
  const response = await fetch(`${server.httpBase}/live/${name}.wav`, { signal: leaver.signal });
  if (response.status !== 200) return undefined;
  const { value } = await response.body!.getReader().read();
  leaver.abort();
  return Buffer.from(value!).readUInt16LE(22);
}

for (const [name, hwid] of [
  ["kitchen", "kitchen"],
  ["7", undefined],
] as const) {
  test(`of several connections with the ${hwid === undefined ? "stream id" : "hardware id"} ${name}, the newest that runs is live`, async () => {
    await using server = await TestServer.start();
    const devices = [];
    for (const channels of [1, 2, 3]) {
      const device = await IngestDevice.open(server.httpBase, { ...pcmFormat, channels }, hwid);
      device.send(countingPayload(0, 320 * channels));
      await until("the newest to be live", 5000, async () => (await liveChannels(server, name)) === channels);
      devices.push(device);
    }
    const [first, second, third] = devices;
    await second!.close();
    expect(await liveChannels(server, name)).toBe(3);
    await third!.close();
    await until("the first to be live", 5000, async () => (await liveChannels(server, name)) === 1);
    await first!.close();
    await until("silence", 5000, async () => (await liveChannels(server, name)) === undefined);
  });
}

test("a listener of ADPCM hears the recorded samples", async () => {
  await using server = await TestServer.start();
  const device = await IngestDevice.open(server.httpBase, adpcmFormat, "coded");
  const coded = new Uint8Array(await Bun.file(new URL("audioop-high.adpcm", golden)).arrayBuffer());
  device.send(coded.subarray(0, 164));
  const listener = await until("a recording to listen to", 5000, async () => {
    const opened = await Listener.open(server, "coded");
    return opened.response.status === 200 && opened;
  });
  for (let frame = 1; frame < coded.length / 164; frame++) {
    device.send(coded.subarray(frame * 164, (frame + 1) * 164));
  }
  await device.close();
  await within("the end of listening", 5000, listener.over);
  const recorded = joinedSamples(recordedSegments(join(server.folder, "received", "coded")));
  const heard = listener.samples;
  expect(heard.length).toBeGreaterThan(0);
  expect(heard).toEqual(recorded.subarray(recorded.length - heard.length));
});

/** Reads the beginning of an endless answer, and leaves. */
async function beginningOf(response: Response, bytes: number): Promise<Buffer> {
  let read = Buffer.alloc(0);
  for await (const chunk of response.body!) {
    read = Buffer.concat([read, chunk]);
    if (read.length >= bytes) break;
  }
  return read;
}

const samplesOf = (pcm: Buffer) => new Int16Array(new Uint8Array(pcm.subarray(0, pcm.length & ~1)).buffer);

describe("a part of the endless WAV file", () => {
  const total = 44 + 0xffffffff;
  let server: TestServer;
  let device: IngestDevice;
  let sending: Promise<void>;
  let isOver = false;

  beforeAll(async () => {
    server = await TestServer.start();
    device = await IngestDevice.open(server.httpBase, { ...pcmFormat, channels: 2 }, "porch");
    sending = sendWhile(device, () => !isOver);
    await until("a recording to listen to", 5000, async () => (await get({ method: "HEAD" })).status === 200);
  });

  afterAll(async () => {
    isOver = true;
    await sending;
    await server.dispose();
  });

  const get = (init: RequestInit) => fetch(`${server.httpBase}/live/porch.wav`, init);
  const part = (range: string, headers: Record<string, string> = {}) =>
    get({ headers: { range, ...headers } });

  async function listeners(): Promise<number> {
    const text = await (await fetch(`${server.httpBase}/metrics`)).text();
    return Number(/^wavecache_live_listeners (\d+)$/m.exec(text)![1]);
  }

  test("is what Safari probes for, without becoming a listener", async () => {
    const probe = await part("bytes=0-1");
    expect([probe.status, await probe.text()]).toEqual([206, "RI"]);
    expect(probe.headers.get("content-range")).toBe(`bytes 0-1/${total}`);
    expect(probe.headers.get("content-length")).toBe("2");
    expect(probe.headers.get("accept-ranges")).toBe("bytes");
    expect(probe.headers.get("content-type")).toBe("audio/wav");
    expect(await (await part("bytes=22-23")).bytes()).toEqual(Uint8Array.of(2, 0));
    expect(await listeners()).toBe(0);
  });

  test("is the whole stream, as Safari asks for it after its probe", async () => {
    const whole = await part(`bytes=0-${total - 1}`);
    expect(whole.status).toBe(206);
    expect(whole.headers.get("content-range")).toBe(`bytes 0-${total - 1}/${total}`);
    const read = await beginningOf(whole, 20_000);
    expect(read.toString("latin1", 0, 4)).toBe("RIFF");
    const samples = samplesOf(read.subarray(44));
    expect(isCounting(samples, samples[0])).toBe(true);
    const longer = await part(`bytes=0-${total + 5}`);
    expect(longer.headers.get("content-range")).toBe(`bytes 0-${total - 1}/${total}`);
    await beginningOf(longer, 1);
    await until("the listeners to be gone", 5000, async () => (await listeners()) === 0);
  });

  test("ends where it is asked to end", async () => {
    const both = await part("bytes=40-20043");
    expect([both.status, both.headers.get("content-range")]).toEqual([206, `bytes 40-20043/${total}`]);
    const read = Buffer.from(await both.bytes());
    expect([read.length, read.readUInt32LE(0)]).toEqual([20_004, 0xffffffff]);
    const samples = samplesOf(read.subarray(4));
    expect(isCounting(samples, samples[0])).toBe(true);
    // The 200 ms of the past are longer than this.
    await beginningOf(await part("bytes=0-"), 1);
    expect((await (await part("bytes=43-50")).bytes()).length).toBe(8);
    await until("the listeners to be gone", 5000, async () => (await listeners()) === 0);
  });

  test("goes on with the audio of now, for a player that had the part before it", async () => {
    // The second channel has the odd samples.
    for (const [from, isOdd] of [
      [44 + 4000, 0],
      [44 + 4002, 1],
    ] as const) {
      const rest = await part(`bytes=${from}-`);
      expect(rest.status).toBe(206);
      expect(rest.headers.get("content-range")).toBe(`bytes ${from}-${total - 1}/${total}`);
      const samples = samplesOf(await beginningOf(rest, 20_000));
      expect(samples[0]! & 1).toBe(isOdd);
      expect(isCounting(samples, samples[0])).toBe(true);
    }
  });

  test("is not given for ranges that are invalid, several, or relative to the end", async () => {
    const ignored = ["bytes=0-", "bytes=5-2", "bytes=-500", "bytes=0-1,4-5", "items=0-1", "bytes=a-b"];
    const whole = ignored.map((range) => part(range));
    for (const response of await Promise.all([...whole, part("bytes=0-1", { "if-range": '"x"' })])) {
      expect([response.status, response.headers.get("content-range")]).toEqual([200, null]);
      expect((await beginningOf(response, 4)).toString("latin1", 0, 4)).toBe("RIFF");
    }
    for (const range of [`bytes=${total}-`, "bytes=99999999999999999999-", `bytes=${total}-${total + 1}`]) {
      const outside = await part(range);
      expect([outside.status, outside.headers.get("content-range")]).toEqual([416, `bytes */${total}`]);
    }
  });

  test("is not needed to ask with HEAD, which makes no listener", async () => {
    for (const range of ["", "bytes=0-1"]) {
      const head = await get({ method: "HEAD", headers: { range } });
      expect([head.status, head.headers.get("content-type")]).toEqual([200, "audio/wav"]);
      expect(head.headers.get("content-length")).toBeNull();
      expect((await head.bytes()).length).toBe(0);
    }
    expect((await fetch(`${server.httpBase}/live/nobody.wav`, { method: "HEAD" })).status).toBe(404);
    await until("no listeners", 5000, async () => (await listeners()) === 0);
  });
});

test("without a recording the answer is 404, and other requests are rejected", async () => {
  await using server = await TestServer.start();
  for (const name of ["nobody", "7", "%ff", "..%2f..%2fetc"]) {
    const response = await fetch(`${server.httpBase}/live/${name}.wav`);
    expect(response.status).toBe(404);
    await response.text();
  }
  expect((await fetch(`${server.httpBase}/live/x.wav`, { method: "POST" })).status).toBe(405);
  expect((await fetch(`${server.httpBase}/live/x.mp3`)).status).toBe(404);
});

test("a listener that does not read skips audio, is counted, and slows neither the recording nor other listeners", async () => {
  await using server = await TestServer.start();
  const format = { ...pcmFormat, sampleRate: 48_000, channels: 2, frameSamples: 960 };
  const device = await IngestDevice.open(server.httpBase, format, "loud");
  const frame = 960 * 2;
  const sendNext = () => device.send(countingPayload(device.seq * frame, frame));
  sendNext();
  const good = await until("a recording to listen to", 5000, async () => {
    const opened = await Listener.open(server, "loud");
    return opened.response.status === 200 && opened;
  });
  const stuck = await openStuckListener(server, "/live/loud.wav");
  const before = await server.memory();
  // Far more than both ends buffer: the audio of two minutes.
  for (let index = 0; index < 6000; index++) {
    sendNext();
    if (index % 50 === 0) await device.socket.flush();
    if (index % 50 === 0) await Bun.sleep(10);
  }
  const after = await server.memory();
  expect(after.ownBytes - before.ownBytes).toBeLessThan(32 * 1024 * 1024);
  await device.close();
  await within("the end of listening", 10_000, good.over);
  stuck.destroy();
  await until("the skips in the log", 5000, () =>
    /did not keep up name=loud skippedBytes=\d+/.test(server.log),
  );
  await until("the recording's end", 5000, () => server.log.includes("a recording ended"));
  const samples = joinedSamples(recordedSegments(join(server.folder, "received", "loud")));
  expect(samples.length).toBe(device.seq * frame);
  expect(isCounting(samples)).toBe(true);
});

async function openStuckListener(server: TestServer, path: string): Promise<Socket> {
  const { hostname, port } = new URL(server.httpBase);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  await new Promise<void>((resolve) => socket.once("data", () => resolve()));
  socket.pause();
  return socket;
}

test("a closed listener is removed, and a stream without frames keeps its listeners", async () => {
  await using server = await TestServer.start();
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "quiet");
  await sendFrames(device, 5);
  for (let turn = 0; turn < 20; turn++) {
    const leaver = new AbortController();
    const response = await fetch(`${server.httpBase}/live/quiet.wav`, { signal: leaver.signal });
    expect(response.status).toBe(200);
    await response.body!.getReader().read();
    leaver.abort();
  }
  const listener = await Listener.open(server, "quiet");
  // Longer than the idle timeout of a request.
  await Bun.sleep(11_000);
  await sendFrames(device, 5);
  await device.close();
  await within("the end of listening", 5000, listener.over);
  expect(isCounting(listener.samples)).toBe(true);
  expect(listener.samples.length).toBe(10 * frameSamples);
});
