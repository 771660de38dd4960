/**
 * Devices that send live audio in real time to a server that this starts. The bench checks the growing files for how late
 * frames are written, and verifies the recordings afterwards: every frame and every sample must be there.
 *
 * A device is a bare TCP connection that sends prepared WebSocket frames with a zero mask, which keeps the generator
 * cheap. Its audio is speech in mono IMA ADPCM, whose nibble order the server must detect.
 */
import type { Socket } from "bun";
import { loadavg } from "node:os";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { AdpcmEncoder, adpcmFrameBytes } from "../../src/codec/ima-adpcm.ts";
import { recordedSegments } from "../../src/testing/harness/recorded-files.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { until } from "../../src/testing/harness/until.ts";
import {
  codecImaAdpcm,
  encodeFrameHeader,
  encodeHandshake,
  frameHeaderBytes,
} from "../../src/wire/ingest.ts";
import { observedServer, type Usage, withUsage } from "./figures.ts";

export interface IngestSettings {
  streams: number;
  seconds: number;
  frameMs: number;
  workers: number;
}

export interface IngestResult {
  sentFrames: number;
  recordedFrames: number;
  /** Faults of the recordings: lost, duplicated or torn frames, one line per stream. */
  faults: string[];
  /** The age of the oldest frame not yet in its file, each time a stream was checked; sorted. */
  delaysMs: number[];
  /** The maximum by which a frame was sent later than due. */
  generatorLateMs: number;
  /** The server's own memory before the devices connected, and its peak while they sent. */
  idleBytes: number | undefined;
  usage: Usage;
  load: number;
}

const sampleRate = 16_000;
const speech = new URL("../../data/samples/speech-16k-mono.wav", import.meta.url);
const wavHeaderBytes = 44;
const probeMs = 500;
/** Streams to check each time. */
const probedStreams = 50;
const endLimitMs = 60_000;

/** The speech in ADPCM, high nibble first, one payload per frame. */
async function codedSpeech(frameSamples: number): Promise<Uint8Array[]> {
  const pcm = new Int16Array((await Bun.file(speech).arrayBuffer()).slice(wavHeaderBytes));
  const encoder = new AdpcmEncoder(1, "high");
  return Array.from({ length: Math.floor(pcm.length / frameSamples) }, (_, frame) => {
    const payload = new Uint8Array(adpcmFrameBytes(frameSamples, 1));
    encoder.encode(pcm, frame * frameSamples, frameSamples, payload, 0);
    return payload;
  });
}

/** A WebSocket message of 126 to 65535 bytes with a zero mask, whose payload the caller fills in. */
function emptyMessage(payloadBytes: number): { frame: Uint8Array; payloadAt: number } {
  const frame = new Uint8Array(8 + payloadBytes);
  frame.set([0x82, 0x80 | 126, payloadBytes >> 8, payloadBytes & 0xff]);
  return { frame, payloadAt: 8 };
}

class Device {
  readonly hwid: string;
  /** Send time of each frame, in ms by this process's clock. */
  readonly sentAt: number[] = [];
  #socket: Socket | undefined;
  /** Bytes that the kernel has not accepted yet. */
  #rest: Uint8Array[] = [];
  readonly #upgraded = Promise.withResolvers<void>();

  constructor(index: number) {
    this.hwid = `device-${index}`;
  }

  async connect(url: URL, streamId: number, frameSamples: number): Promise<void> {
    this.#socket = await Bun.connect({
      hostname: url.hostname,
      port: Number(url.port),
      socket: {
        // The server sends only the upgrade response, and perhaps a Close.
        data: () => this.#upgraded.resolve(),
        drain: () => this.#drain(),
        error: (_, error) => this.#upgraded.reject(error),
      },
    });
    const key = Buffer.alloc(16).toString("base64");
    this.#write(
      Buffer.from(
        `GET /ws/${this.hwid} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      ),
    );
    await this.#upgraded.promise;
    const handshake = encodeHandshake({
      streamId,
      sampleRate,
      channels: 1,
      codec: codecImaAdpcm,
      frameSamples,
      timestampMs: Date.now(),
    });
    this.#write(Uint8Array.of(0x82, 0x80 | handshake.length, 0, 0, 0, 0, ...handshake));
  }

  /** Sends a message; the caller may change its buffer afterwards. */
  send(message: Uint8Array): void {
    this.sentAt.push(performance.now());
    this.#write(message);
  }

  /** A Close frame with code 1000. */
  close(): void {
    this.#write(Uint8Array.of(0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8));
  }

  end(): void {
    this.#socket?.end();
  }

  #write(bytes: Uint8Array): void {
    const taken = this.#rest.length > 0 ? 0 : this.#socket!.write(bytes);
    if (taken < bytes.length) this.#rest.push(bytes.slice(Math.max(0, taken)));
  }

  #drain(): void {
    while (this.#rest.length > 0) {
      const [next] = this.#rest as [Uint8Array];
      const taken = Math.max(0, this.#socket!.write(next));
      if (taken < next.length) {
        this.#rest[0] = next.subarray(taken);
        return;
      }
      this.#rest.shift();
    }
  }
}

/** Sends every frame when it is due, with the devices spread evenly over a frame's time. Returns the maximum lateness. */
async function sendInTime(
  devices: Device[],
  payloads: Uint8Array[],
  settings: IngestSettings,
): Promise<number> {
  const { streams, seconds, frameMs } = settings;
  const payloadBytes = payloads[0]!.length;
  const { frame, payloadAt } = emptyMessage(frameHeaderBytes + payloadBytes);
  const total = streams * Math.floor((seconds * 1000) / frameMs);
  const began = performance.now();
  let late = 0;
  for (let message = 0; message < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - began) * streams) / frameMs));
    late = Math.max(late, performance.now() - began - (message * frameMs) / streams);
    for (; message < due; message++) {
      const seq = Math.floor(message / streams);
      encodeFrameHeader(frame, payloadAt, codecImaAdpcm, seq, payloadBytes);
      frame.set(payloads[seq % payloads.length]!, payloadAt + frameHeaderBytes);
      devices[message % streams]!.send(frame);
    }
    await Bun.sleep(1);
  }
  return late;
}

/** Checks a few devices at a time, round robin, for how long frames take to reach their files. */
function watchDelays(devices: Device[], folder: string, messageBytes: number) {
  const delaysMs: number[] = [];
  let next = 0;
  const timer = setInterval(() => {
    for (let count = Math.min(probedStreams, devices.length); count > 0; count--) {
      const device = devices[next++ % devices.length]!;
      const written = recordedBytes(join(folder, device.hwid)) / messageBytes;
      const oldest = device.sentAt[Math.floor(written)];
      if (device.sentAt.length > 0) delaysMs.push(oldest === undefined ? 0 : performance.now() - oldest);
    }
  }, probeMs);
  return {
    stop: () => {
      clearInterval(timer);
      return delaysMs.sort((a, b) => a - b);
    },
  };
}

/** Bytes in all .bin files of a device. */
function recordedBytes(folder: string): number {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  const files = readdirSync(folder).filter((file) => file.endsWith(".bin"));
  return files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
}

/** The faults in the recording of a device, or its frames. Removes the files: there may be many. */
function judge(device: Device, folder: string, frameSamples: number): number | string {
  const own = join(folder, device.hwid);
  const segments = recordedSegments(own);
  rmSync(own, { recursive: true });
  const seqs = segments.flatMap((segment) => segment.frames.map((frame) => frame.seq));
  const samples = segments.reduce((sum, segment) => sum + segment.samples.length, 0);
  if (seqs.length !== device.sentAt.length)
    return `${device.hwid}: ${seqs.length} of ${device.sentAt.length} frames`;
  if (seqs.some((seq, index) => seq !== index)) return `${device.hwid}: frames out of order`;
  return samples === seqs.length * frameSamples ? seqs.length : `${device.hwid}: ${samples} samples`;
}

export async function measureIngest(settings: IngestSettings): Promise<IngestResult> {
  const frameSamples = (sampleRate * settings.frameMs) / 1000;
  const payloads = await codedSpeech(frameSamples);
  const flags = { workers: settings.workers, "max-connections": settings.streams + 10 };
  await using server = await TestServer.start({ flags });
  const folder = join(server.folder, "received");
  const url = new URL(server.httpBase);
  const observed = observedServer(server.httpBase, server.pid);
  const idleBytes = (await observed.probe())?.ownBytes;
  const devices = Array.from({ length: settings.streams }, (_, index) => new Device(index));
  for (const [index, device] of devices.entries()) await device.connect(url, index, frameSamples);
  const watch = watchDelays(devices, folder, frameHeaderBytes + payloads[0]!.length);
  const [generatorLateMs, usage] = await withUsage(observed, () => sendInTime(devices, payloads, settings));
  const delaysMs = watch.stop();
  const load = loadavg()[0]!;
  for (const device of devices) device.close();
  const ended = () => (server.log.match(/a recording ended/g)?.length ?? 0) >= devices.length;
  await until("every recording's end", endLimitMs, ended);
  for (const device of devices) device.end();
  const judged = devices.map((device) => judge(device, folder, frameSamples));
  return {
    sentFrames: devices.reduce((sum, device) => sum + device.sentAt.length, 0),
    recordedFrames: judged.reduce<number>((sum, each) => sum + (typeof each === "number" ? each : 0), 0),
    faults: judged.filter((each) => typeof each === "string"),
    delaysMs,
    generatorLateMs,
    idleBytes,
    usage,
    load,
  };
}
