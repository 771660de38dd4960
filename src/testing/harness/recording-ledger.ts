/**
 * Devices that record in real time, and whether the server has kept what they sent. Each notes when it sent each frame,
 * so the ledger knows after a crash which frames the server must have.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Random, sha256 } from "./bytes.ts";
import { allRecordings, type ListedRecording } from "./http/recordings.ts";
import {
  adpcmFormat,
  countingPayload,
  type DeviceFormat,
  IngestDevice,
  isCounting,
  pcmFormat,
} from "./peers/ingest-device.ts";
import { joinedFrames, joinedSamples, type RecordedSegment, recordedSegments } from "./recorded-files.ts";
import type { TestServer } from "./server.ts";

const frameMs = 20;
/** The promise: a crash costs no more than this. */
const lossMs = 1000;
const frameSamples = 320;
const codedFrameBytes = 164;

const golden = new URL("../../../data/golden/audioop-high.adpcm", import.meta.url);
const coded = Buffer.from(await Bun.file(golden).arrayBuffer());
const codedFrames = Math.floor(coded.length / codedFrameBytes);

export interface RecordedDevice {
  device: IngestDevice;
  hwid: string;
  format: DeviceFormat;
  /** Send time of each frame, by this process's clock in ms. */
  sentAt: number[];
}

/** Connects `count` devices, in turn PCM and ADPCM; their hardware ids begin with `prefix`. */
export async function openDevices(
  server: TestServer,
  prefix: string,
  count: number,
): Promise<RecordedDevice[]> {
  const opening = Array.from({ length: count }, async (_, index) => {
    const format = { ...(index % 2 === 0 ? pcmFormat : adpcmFormat), streamId: index };
    const hwid = `${prefix}-${index}`;
    return { device: await IngestDevice.open(server.httpBase, format, hwid), hwid, format, sentAt: [] };
  });
  return await Promise.all(opening);
}

/** Sends in real time until `end` or until the connection ends. */
export async function sendInRealTime(each: RecordedDevice, end: number, random: Random): Promise<void> {
  const began = performance.now() - random.int(0, frameMs);
  while (performance.now() < end && each.device.socket.isOpen) {
    const due = Math.floor((performance.now() - began) / frameMs);
    while (each.sentAt.length < due) {
      each.device.send(payloadOf(each.format, each.sentAt.length));
      each.sentAt.push(performance.now());
    }
    await Bun.sleep(frameMs / 2);
  }
}

function payloadOf(format: DeviceFormat, frame: number): Buffer {
  if (format.codec === 0) return countingPayload(frame * frameSamples, frameSamples);
  const at = (frame % codedFrames) * codedFrameBytes;
  return coded.subarray(at, at + codedFrameBytes);
}

/** When the last of these frames was sent: the server was alive until about then. */
export function lastSentAt(devices: readonly RecordedDevice[]): number {
  return Math.max(0, ...devices.flatMap(({ sentAt }) => sentAt.slice(-1)));
}

/**
 * The longest time in ms by which this process was late to send. A machine that starves the sender starves the server
 * too, which then has received its last frames later than they were due.
 */
export function longestStall(devices: readonly RecordedDevice[]): number {
  const gaps = devices.flatMap(({ sentAt }) => sentAt.map((time, at) => time - (sentAt[at - 1] ?? time)));
  return Math.max(0, ...gaps.map((gap) => gap - frameMs));
}

/** What the server has lost or damaged of these devices' recordings, one line each. */
export async function recordingFaults(
  server: TestServer,
  devices: readonly RecordedDevice[],
  killedAt: number,
): Promise<string[]> {
  const faults: string[] = [];
  for (const each of devices) {
    const listed = await allRecordings(server.httpBase, `device=${each.hwid}`);
    faults.push(...faultsOf(join(server.folder, "received", each.hwid), each, killedAt, listed));
  }
  return faults;
}

function faultsOf(
  folder: string,
  each: RecordedDevice,
  killedAt: number,
  listed: ListedRecording[],
): string[] {
  const segments = existsSync(folder) ? recordedSegments(folder) : [];
  const frames = joinedFrames(segments);
  const samples = joinedSamples(segments);
  const safe = each.sentAt.filter((time) => time < killedAt - lossMs).length;
  const faults: string[] = [];
  if (frames.some((frame, index) => frame.seq !== index)) faults.push("frames are missing or duplicated");
  if (frames.length < safe) faults.push(`${frames.length} of ${safe} frames older than the promise`);
  if (samples.length < safe * frameSamples) faults.push(`${samples.length} samples of ${safe} safe frames`);
  if (samples.length > frames.length * frameSamples) faults.push("more samples than frames have");
  if (each.format.codec === 0 && !isCounting(samples)) faults.push("samples are missing or duplicated");
  for (const segment of segments)
    if (!isListed(segment, listed)) faults.push(`${segment.name} is not listed`);
  return faults.map((fault) => `${each.hwid}: ${fault}`);
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
