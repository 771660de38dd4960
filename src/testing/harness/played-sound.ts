/** Sounds as the encoding thread reads them, from the bytes of a file to what a device hears. */
import { expect } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { EncodingPace } from "../../../workers/jobs/sounds/encoding-pace.ts";
import { packetsOf } from "../../../workers/jobs/sounds/sound-packets.ts";
import { SoundSourceFile } from "../../../workers/jobs/sounds/sound-source-file.ts";
import { opusFrameSamples, opusSampleRate } from "../../codec/opus.ts";
import { Resampler } from "../../codec/resample.ts";
import { correlation, heard } from "../fixtures/sound.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { pcmBytes, samplesOf } from "../fixtures/wav.ts";

const data = join(import.meta.dir, "../../../data");
export const packetSeconds = opusFrameSamples / opusSampleRate;

export function caseFile(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(fs.readFileSync(join(data, "cases", name)));
}

/** The 1.3 s of music that most cases hold: interleaved stereo at 44.1 kHz. */
export const music = samplesOf(
  fs.readFileSync(join(data, "samples/music-44k-stereo.wav")).subarray(44),
).subarray(2 * 22_050, 2 * (22_050 + 57_330));
export const musicBytes = pcmBytes(music);
export const musicMono = Int16Array.from({ length: music.length / 2 }, (_, at) =>
  Math.round((music[2 * at]! + music[2 * at + 1]!) / 2),
);
export const musicAt48k = resampled(musicMono, 44_100);

export function resampled(pcm: Int16Array, sampleRate: number): Float32Array {
  const resampler = new Resampler(sampleRate, opusSampleRate);
  const samples = Float32Array.from(pcm, (sample) => sample / 32_768);
  return Float32Array.from([...resampler.push(samples), ...resampler.end()]);
}

export function joined(...parts: (Uint8Array | number[])[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}

export class CountingPace extends EncodingPace {
  steps = 0;
  /** The most bytes that were read in one step. */
  maxStepBytes = 0;
  #stepBytes = 0;

  constructor() {
    super(
      () => false,
      () => undefined,
    );
  }

  count(bytes: number): void {
    this.#stepBytes += bytes;
    this.maxStepBytes = Math.max(this.maxStepBytes, this.#stepBytes);
  }

  override async step(): Promise<void> {
    this.steps += 1;
    this.#stepBytes = 0;
    await super.step();
  }
}

class CountingFile extends SoundSourceFile {
  readonly #pace: CountingPace;

  constructor(descriptor: number, size: number, pace: CountingPace) {
    super(descriptor, size);
    this.#pace = pace;
  }

  override read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = super.read(offset, length);
    this.#pace.count(bytes.length);
    return bytes;
  }
}

export async function packetsOfBytes(bytes: Uint8Array, pace = new CountingPace()): Promise<Uint8Array[]> {
  using folder = temporaryFolder();
  const path = join(folder.path, "sound");
  fs.writeFileSync(path, bytes);
  return await packetsOfPath(path, pace);
}

export async function packetsOfPath(path: string, pace: CountingPace): Promise<Uint8Array[]> {
  const descriptor = fs.openSync(path, "r");
  try {
    const file = new CountingFile(descriptor, fs.fstatSync(descriptor).size, pace);
    const packets: Uint8Array[] = [];
    for await (const batch of packetsOf(file, pace)) packets.push(...batch);
    return packets;
  } finally {
    fs.closeSync(descriptor);
  }
}

interface Expected {
  seconds?: number;
  source?: Float32Array;
  minCorrelation?: number;
  /** Samples by which the sound may lag behind its source. */
  maxDelay?: number;
}

/** Expects the length of the source within one packet, and its sound. */
export async function expectPlays(bytes: Uint8Array, expected: Expected = {}): Promise<Float32Array> {
  const { source = musicAt48k, minCorrelation = 0.99, maxDelay = 1 } = expected;
  const packets = await packetsOfBytes(bytes);
  const seconds = expected.seconds ?? source.length / opusSampleRate;
  expect(Math.abs(packets.length * packetSeconds - seconds)).toBeLessThanOrEqual(packetSeconds + 1e-9);
  const sound = await heard(packets);
  expect(correlation(source, sound, maxDelay)).toBeGreaterThan(minCorrelation);
  return sound;
}
