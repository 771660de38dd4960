/**
 * Reads a folder of recordings by the description of the files alone: `.bin` is a sequence of frame messages, `.wav` a
 * header of 44 bytes with correct sizes, then PCM16. Throws at any deviation.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface RecordedFrame {
  /** The whole message. */
  message: Buffer;
  seq: number;
  payload: Buffer;
}

export interface RecordedSegment {
  /** Relative to the folder, without extension. */
  name: string;
  bin: Buffer;
  wav: Buffer;
  frames: RecordedFrame[];
  sampleRate: number;
  channels: number;
  /** Interleaved. */
  samples: Int16Array;
}

/** Every segment below the folder, oldest first; segments of the same second by number. */
export function recordedSegments(folder: string): RecordedSegment[] {
  const files = readdirSync(folder, { recursive: true }).map((path) => String(path).replaceAll("\\", "/"));
  const names = files.filter((path) => path.endsWith(".bin")).map((path) => path.slice(0, -4));
  const strays = files.filter((path) => path.endsWith(".wav") && !names.includes(path.slice(0, -4)));
  if (strays.length > 0) throw new Error(`.wav without .bin: ${strays.join(", ")}`);
  return names.sort(byTime).map((name) => readSegment(folder, name));
}

/** The samples of all segments, concatenated. */
export function joinedSamples(segments: RecordedSegment[]): Int16Array {
  const joined = new Int16Array(segments.reduce((sum, segment) => sum + segment.samples.length, 0));
  let at = 0;
  for (const { samples } of segments) {
    joined.set(samples, at);
    at += samples.length;
  }
  return joined;
}

export function joinedFrames(segments: RecordedSegment[]): RecordedFrame[] {
  return segments.flatMap((segment) => segment.frames);
}

function byTime(a: string, b: string): number {
  const [timeA, numberA] = timeOf(a);
  const [timeB, numberB] = timeOf(b);
  return timeA < timeB ? -1 : timeA > timeB ? 1 : numberA - numberB;
}

function timeOf(name: string): [time: string, number: number] {
  const match = /_(\d{8}_\d{6})(?:_(\d+))?$/.exec(name);
  if (match === null) throw new Error(`not the name of a recording: ${name}`);
  return [match[1]!, Number(match[2] ?? 1)];
}

export function readSegment(folder: string, name: string): RecordedSegment {
  const bin = readFileSync(join(folder, `${name}.bin`));
  const wav = readFileSync(join(folder, `${name}.wav`));
  return { name, bin, wav, frames: framesOf(bin, name), ...readWav(wav, name) };
}

function framesOf(bin: Buffer, name: string): RecordedFrame[] {
  const frames: RecordedFrame[] = [];
  for (let at = 0; at < bin.length;) {
    const magic = at + 12 <= bin.length ? bin.readUInt32LE(at) : 0;
    const end = at + 12 + (magic === 0 ? 0 : bin.readUInt32LE(at + 4));
    if ((magic !== 0x41445046 && magic !== 0x464d4350) || end > bin.length) {
      throw new Error(`${name}.bin has no whole frame at byte ${at} of ${bin.length}`);
    }
    const message = bin.subarray(at, end);
    frames.push({ message, seq: bin.readUInt32LE(at + 8), payload: message.subarray(12) });
    at = end;
  }
  return frames;
}

function readWav(wav: Buffer, name: string): Pick<RecordedSegment, "sampleRate" | "channels" | "samples"> {
  const channels = wav.readUInt16LE(22);
  const sampleRate = wav.readUInt32LE(24);
  const expected = Buffer.alloc(44);
  expected.write("RIFF", 0);
  expected.writeUInt32LE(wav.length - 8, 4);
  expected.write("WAVEfmt ", 8);
  expected.writeUInt32LE(16, 16);
  expected.writeUInt16LE(1, 20);
  expected.writeUInt16LE(channels, 22);
  expected.writeUInt32LE(sampleRate, 24);
  expected.writeUInt32LE(sampleRate * channels * 2, 28);
  expected.writeUInt16LE(channels * 2, 32);
  expected.writeUInt16LE(16, 34);
  expected.write("data", 36);
  expected.writeUInt32LE(wav.length - 44, 40);
  if (!wav.subarray(0, 44).equals(expected)) {
    throw new Error(`${name}.wav has a wrong header: ${wav.toString("hex", 0, 44)}`);
  }
  if ((wav.length - 44) % (2 * channels) !== 0) throw new Error(`${name}.wav ends within a sample frame`);
  return { sampleRate, channels, samples: new Int16Array(new Uint8Array(wav.subarray(44)).buffer) };
}
