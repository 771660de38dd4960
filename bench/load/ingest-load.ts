/**
 * Devices that send live audio in real time to a server that this starts. The bench checks the growing files for how late
 * frames are written, and verifies the recordings afterwards: every frame and every sample must be there.
 *
 * The nibble order of their ADPCM is what the server must detect.
 */
import { loadavg } from "node:os";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { scrape } from "../../src/testing/harness/http/exposition.ts";
import { recordedSegments } from "../../src/testing/harness/recorded-files.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { until } from "../../src/testing/harness/until.ts";
import { frameHeaderBytes } from "../../src/wire/ingest.ts";
import { observedServer, type Usage, withUsage } from "./figures.ts";
import { codedSpeech, Device, sampleRate, sendInTime } from "./ingest-devices.ts";

export interface IngestSettings {
  streams: number;
  seconds: number;
  frameMs: number;
  workers: number;
  /** Events that the server writes meanwhile; 0 by default. */
  eventsPerSecond?: number;
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
  /** Events that the catalog was too slow for. */
  droppedEvents: number;
}

const probeMs = 500;
/** Streams to check each time. */
const probedStreams = 50;
const endLimitMs = 60_000;

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

function floodEnvironment({ eventsPerSecond = 0 }: IngestSettings): Record<string, string> {
  if (eventsPerSecond === 0) return {};
  const preload = join(import.meta.dir, "event-flood.ts");
  return { BUN_OPTIONS: `--preload=${preload}`, EVENTS_PER_SECOND: String(eventsPerSecond) };
}

export async function measureIngest(settings: IngestSettings): Promise<IngestResult> {
  const frameSamples = (sampleRate * settings.frameMs) / 1000;
  const payloads = await codedSpeech(frameSamples);
  const flags = { workers: settings.workers, "max-connections": settings.streams + 10 };
  await using server = await TestServer.start({ flags, env: floodEnvironment(settings) });
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
  const droppedEvents = (await scrape(server.httpBase))?.sum("wavecache_events_dropped_total") ?? 0;
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
    droppedEvents,
  };
}
