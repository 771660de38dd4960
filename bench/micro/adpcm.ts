/**
 * How fast IMA ADPCM is decoded and encoded on one thread, in million samples per second (of all channels), and the
 * speed of FFmpeg's adpcm_ima_wav decoder in the same run.
 *
 *     bun bench/micro/adpcm.ts [--quick]
 *
 * The input is the sample music and speech: 20 ms frames as devices send them, and blocks of 4096 bytes, which FFmpeg
 * gets as a WAV file. FFmpeg's figure is the CPU time of `ffmpeg` decoding that file minus the CPU time of copying it
 * undecoded. Rounds alternate and the best of each counts, so that the ratio holds on a busy machine too. `--quick`
 * runs everything once on tiny inputs.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdpcmDecoder, AdpcmEncoder, adpcmFrameBytes, type NibbleOrder } from "../../src/codec/ima-adpcm.ts";

const quick = process.argv.includes("--quick");
const roundMs = quick ? 1 : 200;
const rounds = quick ? 1 : 5;
const blockBytes = 4096;
/** Bytes for FFmpeg to decode in a round: enough to make its start negligible. */
const ffmpegBytes = quick ? 1 << 18 : 1 << 25;

/** Coded frames of equal length, concatenated. */
interface Frames {
  bytes: Uint8Array;
  frameBytes: number;
  frameSamples: number;
  channels: number;
}

function samplesOf(name: string): Promise<Int16Array> {
  const file = Bun.file(new URL(`../../data/samples/${name}`, import.meta.url));
  return file.arrayBuffer().then((bytes) => new Int16Array(bytes.slice(44)));
}

function encodeFrames(pcm: Int16Array, channels: number, frameSamples: number, order: NibbleOrder): Frames {
  const encoder = new AdpcmEncoder(channels, order);
  const frameBytes = adpcmFrameBytes(frameSamples, channels);
  const count = Math.floor(pcm.length / channels / frameSamples);
  const bytes = new Uint8Array(count * frameBytes);
  for (let frame = 0; frame < count; frame++) {
    encoder.encode(pcm, frame * frameSamples * channels, frameSamples, bytes, frame * frameBytes);
  }
  return { bytes, frameBytes, frameSamples, channels };
}

function decodeFrames(decoder: AdpcmDecoder, frames: Frames, out: Int16Array): number {
  let samples = 0;
  for (let at = 0; at < frames.bytes.length; at += frames.frameBytes) {
    samples += decoder.decode(frames.bytes, at, frames.frameBytes, out, 0);
  }
  return samples * frames.channels;
}

/** Million samples per second of `run`, which returns its number of samples. */
function rate(run: () => number): number {
  const start = performance.now();
  let samples = 0;
  do samples += run();
  while (performance.now() - start < roundMs);
  return samples / (performance.now() - start) / 1000;
}

/** FFmpeg's rate over the same blocks, or undefined without ffmpeg. */
async function ffmpegRate(path: string, samples: number): Promise<number | undefined> {
  const decode = await cpuMicroseconds(path, ["-c:a", "pcm_s16le_planar"]);
  const copy = await cpuMicroseconds(path, ["-c:a", "copy"]);
  return decode === undefined || copy === undefined ? undefined : samples / Math.max(1, decode - copy);
}

async function cpuMicroseconds(path: string, codec: string[]): Promise<number | undefined> {
  if (Bun.which("ffmpeg") === null) return undefined;
  const command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", path, ...codec, "-f", "null", "-"];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "inherit" });
  if ((await child.exited) !== 0) throw new Error("ffmpeg failed");
  return Number(child.resourceUsage()!.cpuTime.user);
}

/** Writes the blocks as a WAV file of format 0x11, repeated up to `ffmpegBytes`; returns its samples. */
async function writeAdpcmWav(path: string, frames: Frames): Promise<number> {
  const repeats = Math.ceil(ffmpegBytes / frames.bytes.length);
  const dataBytes = repeats * frames.bytes.length;
  const head = Buffer.alloc(48);
  head.write("RIFF", 0);
  head.writeUInt32LE(40 + dataBytes, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(20, 16);
  head.writeUInt16LE(0x11, 20);
  head.writeUInt16LE(frames.channels, 22);
  head.writeUInt32LE(16000, 24);
  head.writeUInt32LE(8000 * frames.channels, 28);
  head.writeUInt16LE(frames.frameBytes, 32);
  head.writeUInt16LE(4, 34);
  head.writeUInt16LE(2, 36);
  // A WAV block counts its predictor as a sample.
  head.writeUInt16LE(frames.frameSamples + 1, 38);
  head.write("data", 40);
  head.writeUInt32LE(dataBytes, 44);
  await Bun.write(path, new Blob([head, ...Array.from({ length: repeats }, () => frames.bytes)]));
  const blocks = dataBytes / frames.frameBytes;
  return blocks * (frames.frameSamples + 1) * frames.channels;
}

function line(name: string, figures: number[], unit = "M samples/s"): void {
  process.stdout.write(
    `${name.padEnd(38)} ${Math.max(...figures)
      .toFixed(0)
      .padStart(5)} ${unit}\n`,
  );
}

async function compare(name: string, pcm: Int16Array, channels: number, folder: string): Promise<void> {
  const blockSamples = ((blockBytes - 4 * channels) * 2) / channels;
  const low = encodeFrames(pcm, channels, blockSamples, "low");
  const high = encodeFrames(pcm, channels, blockSamples, "high");
  const out = new Int16Array(blockSamples * channels);
  const lowDecoder = new AdpcmDecoder(channels, blockSamples, "low");
  const highDecoder = new AdpcmDecoder(channels, blockSamples, "high");
  const path = join(folder, `${channels}.wav`);
  const samples = await writeAdpcmWav(path, low);
  const figures = { low: [] as number[], high: [] as number[], ffmpeg: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    figures.low.push(rate(() => decodeFrames(lowDecoder, low, out)));
    figures.high.push(rate(() => decodeFrames(highDecoder, high, out)));
    const theirs = await ffmpegRate(path, samples);
    if (theirs !== undefined) figures.ffmpeg.push(theirs);
  }
  line(`decode ${name}, blocks, low first`, figures.low);
  line(`decode ${name}, blocks, high first`, figures.high);
  if (figures.ffmpeg.length === 0) return;
  line(`ffmpeg ${name}, same blocks`, figures.ffmpeg);
  const ratio = Math.max(...figures.low) / Math.max(...figures.ffmpeg);
  process.stdout.write(`ratio to ffmpeg, ${name}: ${ratio.toFixed(2)}\n`);
}

function deviceFrames(name: string, pcm: Int16Array, channels: number, frameSamples: number): void {
  for (const order of ["low", "high"] as const) {
    const frames = encodeFrames(pcm, channels, frameSamples, order);
    const decoder = new AdpcmDecoder(channels, frameSamples, order);
    const out = new Int16Array(frameSamples * channels);
    const figures = Array.from({ length: rounds }, () => rate(() => decodeFrames(decoder, frames, out)));
    line(`decode ${name}, 20 ms frames, ${order} first`, figures);
  }
  const encode = () => {
    const { bytes, frameBytes } = encodeFrames(pcm, channels, frameSamples, "low");
    return (bytes.length / frameBytes) * frameSamples * channels;
  };
  line(
    `encode ${name}, 20 ms frames`,
    Array.from({ length: rounds }, () => rate(encode)),
  );
}

const speech = await samplesOf("speech-16k-mono.wav");
const music = await samplesOf("music-44k-stereo.wav");
const folder = mkdtempSync(join(tmpdir(), "wavecache-adpcm-"));
try {
  deviceFrames("speech mono", speech, 1, 320);
  deviceFrames("music stereo", music, 2, 880);
  await compare("speech mono", speech, 1, folder);
  await compare("music stereo", music, 2, folder);
} finally {
  rmSync(folder, { recursive: true });
}
