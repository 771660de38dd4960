/** Live listening over a WebSocket. The messages are read from the documentation alone. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { countingPayload, IngestDevice, isCounting, pcmFormat } from "../harness/peers/ingest-device.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { opcodes } from "../harness/peers/websocket-frames.ts";
import { TestServer } from "../harness/server.ts";
import { testLimitMs, until, within } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

const frameSamples = 320;

interface Message {
  magic: string;
  sampleRate: number;
  channels: number;
  flags: number;
  skipped: number;
  timeMs: number;
  samples: Int16Array;
}

function parse(message: Buffer): Message {
  return {
    magic: message.toString("latin1", 0, 4),
    sampleRate: message.readUInt32LE(4),
    channels: message.readUInt16LE(8),
    flags: message.readUInt16LE(10),
    skipped: message.readUInt32LE(12),
    timeMs: message.readDoubleLE(16),
    samples: new Int16Array(new Uint8Array(message.subarray(24)).buffer),
  };
}

const openSocket = (server: TestServer, name: string) =>
  RawWebSocket.open(`${server.httpBase.replace("http", "ws")}/live/${name}`);

const audioOf = (socket: RawWebSocket) =>
  socket.received.filter(({ opcode }) => opcode === opcodes.binary).map(({ payload }) => parse(payload));

const samplesOf = (messages: Message[]) => Int16Array.from(messages.flatMap(({ samples }) => [...samples]));

function sendNext(device: IngestDevice): void {
  const samples = device.format.frameSamples * device.format.channels;
  device.send(countingPayload(device.seq * samples, samples));
}

async function sendFrames(device: IngestDevice, frames: number): Promise<void> {
  for (let frame = 0; frame < frames; frame++) {
    sendNext(device);
    await Bun.sleep(20);
  }
}

async function untilRecorded(server: TestServer, name: string): Promise<void> {
  const found = async () => (await fetch(`${server.httpBase}/live/${name}.wav`, { method: "HEAD" })).ok;
  await until("a recording to listen to", 5000, found);
}

test("listeners get every sample with its time, and a late one starts with the most recent audio", async () => {
  await using server = await TestServer.start({ flags: { "rotate-seconds": 1 } });
  const startedMs = Date.now();
  const device = await IngestDevice.open(server.httpBase, { ...pcmFormat, channels: 2 }, "AA:BB");
  await sendFrames(device, 20);
  await untilRecorded(server, "AA_BB");
  const first = await openSocket(server, "AA%3ABB");
  await sendFrames(device, 60);
  const late = await openSocket(server, "7");
  await sendFrames(device, 10);
  await device.close();
  for (const socket of [first, late]) {
    await within("the end of listening", 5000, socket.ended);
    const messages = audioOf(socket);
    for (const { magic, sampleRate, channels, flags, skipped } of messages)
      expect([magic, sampleRate, channels, flags, skipped]).toEqual(["WLV1", 16_000, 2, 0, 0]);
    const samples = samplesOf(messages);
    expect(isCounting(samples, samples[0])).toBe(true);
    expect(samples.at(-1)).toBe(((device.seq * 2 * frameSamples - 1) << 16) >> 16);
    const origin = messages[0]!.timeMs;
    expect(origin).toBeWithin(startedMs - 10, Date.now());
    let heard = 0;
    for (const message of messages) {
      expect(message.timeMs).toBeCloseTo(origin + heard / 32, 3);
      heard += message.samples.length;
    }
    const { opcode, payload } = socket.received.at(-1)!;
    expect([opcode, payload.readUInt16BE(0), payload.toString("utf8", 2)]).toEqual([
      opcodes.close,
      1000,
      "recording ended",
    ]);
  }
  expect(samplesOf(audioOf(late)).length).toBeWithin(2 * 3200, 2 * (3200 + 25 * frameSamples));
});

test("a listener that does not read skips audio, and then learns how much", async () => {
  await using server = await TestServer.start();
  const format = { ...pcmFormat, sampleRate: 48_000, channels: 2, frameSamples: 960 };
  const device = await IngestDevice.open(server.httpBase, format, "loud");
  sendNext(device);
  await untilRecorded(server, "loud");
  const slow = await openSocket(server, "loud");
  slow.pause();
  const before = await server.memory();
  // Far more than both ends buffer: 92 MB.
  for (let index = 0; index < 24_000; index++) {
    sendNext(device);
    if (index % 50 === 0) await device.socket.flush();
    if (index % 50 === 0) await Bun.sleep(5);
  }
  const after = await server.memory();
  expect(after.ownBytes - before.ownBytes).toBeLessThan(64 * 1024 * 1024);
  slow.resume();
  const total = 2 * 960 * (device.seq + 20);
  await sendFrames(device, 20);
  await until("the newest audio", 10_000, () => {
    return audioOf(slow).at(-1)!.samples.at(-1) === ((total - 1) << 16) >> 16;
  });
  const messages = audioOf(slow);
  let next = messages[0]!.samples[0]!;
  let timeMs = messages[0]!.timeMs;
  for (const message of messages) {
    next += 2 * message.skipped;
    timeMs += message.skipped / 48;
    expect(message.flags).toBe(message.skipped > 0 ? 1 : 0);
    expect(message.samples[0]).toBe((next << 16) >> 16);
    expect(message.timeMs).toBeCloseTo(timeMs, 2);
    next += message.samples.length;
    timeMs += message.samples.length / 96;
  }
  expect(isCounting(messages.at(-1)!.samples, messages.at(-1)!.samples[0])).toBe(true);
  slow[Symbol.dispose]();
  await device.close();
  await server.untilLogged(/did not keep up name=loud skippedBytes=\d+/);
});

test("without a recording the connection is closed, and an ended listener costs nothing", async () => {
  await using server = await TestServer.start();
  for (const name of ["nobody", "%ff"]) {
    const socket = await openSocket(server, name);
    const { opcode, payload } = await socket.next();
    expect([opcode, payload.readUInt16BE(0), payload.toString("utf8", 2)]).toEqual([
      opcodes.close,
      1008,
      "no such recording",
    ]);
  }
  expect((await fetch(`${server.httpBase}/live/nobody`)).status).toBe(426);
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "porch");
  sendNext(device);
  await untilRecorded(server, "porch");
  const socket = await openSocket(server, "porch");
  await socket.next();
  socket[Symbol.dispose]();
  const listeners = async () => (await fetch(`${server.httpBase}/metrics`)).text();
  await until("no listeners", 5000, async () => (await listeners()).includes("wavecache_live_listeners 0\n"));
  await device.close();
});
