import { describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { maxOggDamageBytes, maxSoundGapBytes } from "../../../src/base/limits/sounds.ts";
import { KiB, MiB } from "../../../src/base/limits/units.ts";
import { OggOpusParser } from "../../../src/codec/ogg-opus.ts";
import { opusFrameSamples, opusSampleRate } from "../../../src/codec/opus.ts";
import { Resampler } from "../../../src/codec/resample.ts";
import { editOggPages, oggFile, oggPages, opusHead, opusTags } from "../../../src/testing/fixtures/ogg.ts";
import { formatChunk, id3Tag, riffChunk, riffFile, sizesChunk } from "../../../src/testing/fixtures/riff.ts";
import { correlation, heard, level } from "../../../src/testing/fixtures/sound.ts";
import { temporaryFolder } from "../../../src/testing/fixtures/temporary-folder.ts";
import { pcmBytes, samplesOf, wavAdpcmFile, wavFile } from "../../../src/testing/fixtures/wav.ts";
import { testLimitMs } from "../../../src/testing/harness/until.ts";
import { EncodingPace } from "./encoding-pace.ts";
import { packetsOf } from "./sound-packets.ts";
import { SoundSourceFile } from "./sound-source-file.ts";

setDefaultTimeout(testLimitMs);

const data = join(import.meta.dir, "../../../data");
const packetSeconds = opusFrameSamples / opusSampleRate;

function caseFile(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(fs.readFileSync(join(data, "cases", name)));
}

/** The 1.3 s of music that most cases hold: interleaved stereo at 44.1 kHz. */
const music = samplesOf(fs.readFileSync(join(data, "samples/music-44k-stereo.wav")).subarray(44)).subarray(
  2 * 22_050,
  2 * (22_050 + 57_330),
);
const musicBytes = pcmBytes(music);
const musicMono = Int16Array.from({ length: music.length / 2 }, (_, at) =>
  Math.round((music[2 * at]! + music[2 * at + 1]!) / 2),
);
const musicAt48k = resampled(musicMono, 44_100);

function resampled(pcm: Int16Array, sampleRate: number): Float32Array {
  const resampler = new Resampler(sampleRate, opusSampleRate);
  const samples = Float32Array.from(pcm, (sample) => sample / 32_768);
  return Float32Array.from([...resampler.push(samples), ...resampler.end()]);
}

function joined(...parts: (Uint8Array | number[])[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}

class CountingPace extends EncodingPace {
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

async function packetsOfBytes(bytes: Uint8Array, pace = new CountingPace()): Promise<Uint8Array[]> {
  using folder = temporaryFolder();
  const path = join(folder.path, "sound");
  fs.writeFileSync(path, bytes);
  return await packetsOfPath(path, pace);
}

async function packetsOfPath(path: string, pace: CountingPace): Promise<Uint8Array[]> {
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
async function expectPlays(bytes: Uint8Array, expected: Expected = {}): Promise<Float32Array> {
  const { source = musicAt48k, minCorrelation = 0.99, maxDelay = 1 } = expected;
  const packets = await packetsOfBytes(bytes);
  const seconds = expected.seconds ?? source.length / opusSampleRate;
  expect(Math.abs(packets.length * packetSeconds - seconds)).toBeLessThanOrEqual(packetSeconds + 1e-9);
  const sound = await heard(packets);
  expect(correlation(source, sound, maxDelay)).toBeGreaterThan(minCorrelation);
  return sound;
}

const plainFormat = formatChunk({ blockBytes: 4, bits: 16 });
const dataChunk = riffChunk("data", musicBytes);
const plainWav = riffFile([plainFormat, dataChunk]);

/** The chunk with its numbers turned round; `units` are their sizes. */
function bigEndian(chunk: Uint8Array, units: number[]): Uint8Array {
  const out = chunk.slice();
  let at = 4;
  for (const unit of units) out.subarray(at, (at += unit)).reverse();
  return out;
}

describe("a WAV file plays", () => {
  test.each(["RF64", "BW64"])("as %s, with its sizes in a chunk of their own", async (magic) => {
    const chunks = [sizesChunk(0, musicBytes.length, 57_330), plainFormat];
    const open = riffChunk("data", musicBytes, 0xffffffff);
    await expectPlays(
      riffFile([...chunks, open, riffChunk("LIST", new Uint8Array(9_999))], { magic, size: 0xffffffff }),
    );
  });

  test("as RIFX", async () => {
    const swapped = musicBytes.slice();
    Buffer.from(swapped.buffer).swap16();
    const chunks = [
      bigEndian(plainFormat, [4, 2, 2, 4, 4, 2, 2]),
      bigEndian(riffChunk("data", swapped), [4]),
    ];
    const file = riffFile(chunks, { magic: "RIFX" });
    file.subarray(4, 8).reverse();
    await expectPlays(file);
  });

  test.each([0, 70, 200_000])("behind an ID3 tag of %d bytes", async (bytes) => {
    await expectPlays(joined(id3Tag(bytes), plainWav));
  });

  test.each([
    [12, 4],
    [16, 0],
    [16, 2],
    [16, 8],
  ])("with %d bits in blocks of %d bytes, whatever fits", async (bits, blockBytes) => {
    await expectPlays(riffFile([formatChunk({ blockBytes, bits }), dataChunk]));
  });

  test.each([
    [20, 3],
    [20, 4],
    [24, 4],
    [33, 5],
    [64, 8],
  ])("with %d bits in %d bytes", async (bits, bytes) => {
    const wide = new Uint8Array((musicBytes.length / 2) * bytes);
    for (let sample = 0; sample < music.length; sample++) {
      wide.set(musicBytes.subarray(2 * sample, 2 * sample + 2), (sample + 1) * bytes - 2);
    }
    await expectPlays(riffFile([formatChunk({ blockBytes: 2 * bytes, bits }), riffChunk("data", wide)]));
  });

  test("behind a chunk of a mebibyte, and behind thousands of small ones", async () => {
    await expectPlays(riffFile([riffChunk("JUNK", new Uint8Array(MiB)), plainFormat, dataChunk]));
    const small = Array.from({ length: 9_000 }, () => riffChunk("JUNK", new Uint8Array(20)));
    await expectPlays(riffFile([...small, plainFormat, dataChunk]));
  });

  test("of A-law and mu-law", async () => {
    for (const [tag, decode] of [
      [6, aLawOf],
      [7, muLawOf],
    ] as const) {
      const coded = Uint8Array.from(musicMono, decode);
      const format = formatChunk({ tag, channels: 1, blockBytes: 1, bits: 8 });
      await expectPlays(riffFile([format, riffChunk("data", coded)]), { minCorrelation: 0.97 });
    }
  });

  test("of Microsoft ADPCM, as FFmpeg codes it", async () => {
    // FFmpeg pads the last of 29 blocks, and states more samples than they have.
    const seconds = (29 * 2_034) / 44_100;
    await expectPlays(caseFile("wav-ms-adpcm.wav"), { seconds, minCorrelation: 0.98 });
  });

  test("of IMA ADPCM with a damaged block, which becomes silence", async () => {
    const file = wavAdpcmFile(musicMono, 1, 44_100);
    file[60 + 5 * 256 + 2] = 100;
    const sound = await expectPlays(file, { minCorrelation: 0.9 });
    const block = 505 * (opusSampleRate / 44_100);
    const damaged = sound.subarray(Math.ceil(5 * block) + 100, Math.floor(6 * block) - 100);
    expect(level(damaged)).toBeLessThan(level(sound) / 5);
  });

  test("of IMA ADPCM whose last block is cut, and that states no samples", async () => {
    const whole = wavAdpcmFile(musicMono, 1, 44_100);
    const cut = whole.subarray(60, 60 + 100 * 256 + 104);
    const format = formatChunk({ tag: 0x11, channels: 1, blockBytes: 256, bits: 4 });
    const samples = 100 * 505 + 201;
    const source = resampled(musicMono.subarray(0, samples), 44_100);
    await expectPlays(riffFile([format, riffChunk("data", cut)]), { source, minCorrelation: 0.98 });
  });

  test("to its last sample, and without the delay of the encoder", async () => {
    const pcm = new Int16Array(opusSampleRate);
    for (let at = pcm.length - 200; at < pcm.length; at++) pcm[at] = at % 40 < 20 ? 20_000 : -20_000;
    const packets = await packetsOfBytes(wavFile(pcm, 1, opusSampleRate));
    expect(packets.length).toBe(50);
    const sound = await heard(packets);
    const source = Float32Array.from(pcm, (sample) => sample / 32_768);
    expect(correlation(source, sound, 0)).toBeGreaterThan(0.9);
    expect(level(sound.subarray(-200))).toBeGreaterThan(0.8 * level(source.subarray(-200)));
  });

  test("from its first sample", async () => {
    const pcm = new Int16Array(opusSampleRate / 2);
    for (let at = 0; at < 400; at++) pcm[at] = Math.round(15_000 * Math.sin(at / 10));
    const sound = await heard(await packetsOfBytes(wavFile(pcm, 1, opusSampleRate)));
    const source = Float32Array.from(pcm, (sample) => sample / 32_768);
    expect(correlation(source, sound, 0)).toBeGreaterThan(0.9);
  });
});

/** The code whose value is nearest, found by its table: slow, and independent of the decoder. */
function nearest(value: number, table: readonly number[]): number {
  let best = 0;
  table.forEach((entry, code) => {
    if (Math.abs(entry - value) < Math.abs(table[best]! - value)) best = code;
  });
  return best;
}

/** G.711, figures 1 and 2, as the segments of the specification: steps of 2^segment from its start. */
const aLawTable = Array.from({ length: 256 }, (_, code) => {
  const bits = code ^ 0xd5;
  const segment = (bits >> 4) & 7;
  const step = 16 << Math.max(0, segment - 1);
  const start = segment === 0 ? 0 : 256 << (segment - 1);
  const magnitude = start + ((bits & 15) + 0.5) * step;
  return bits >> 7 === 0 ? magnitude : -magnitude;
});
const muLawTable = Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff;
  const segment = (bits >> 4) & 7;
  const magnitude = ((bits & 15) + 16.5) * 8 * 2 ** segment - 132;
  return bits >> 7 === 0 ? magnitude : -magnitude;
});

function aLawOf(value: number): number {
  return nearest(value, aLawTable);
}

function muLawOf(value: number): number {
  return nearest(value, muLawTable);
}

/** Without the frame of its tag. */
const mp3 = caseFile("mp3-xing-noframes.mp3").subarray(417);

describe("an MP3 file plays", () => {
  const delayed = { seconds: 51 * (1_152 / 44_100), minCorrelation: 0.9, maxDelay: 1_300 };

  test.each([
    ["zeros", new Uint8Array(1_000)],
    ["many zeros", new Uint8Array(150_000)],
    ["ones", new Uint8Array(600).fill(0xff)],
    ["text", new TextEncoder().encode("not audio ".repeat(400))],
    ["a tag, then zeros", joined(id3Tag(2_000), new Uint8Array(3_000))],
  ])("behind %s", async (_, junk) => {
    await expectPlays(joined(junk, mp3), delayed);
  });

  test("with damage inside, which costs the damaged part alone", async () => {
    const half = 417 * 20;
    for (const junk of [new Uint8Array(5_000), new Uint8Array(70_000).fill(0xff), id3Tag(20_000)]) {
      await expectPlays(joined(mp3.subarray(0, half), junk, mp3.subarray(half)), delayed);
    }
  });

  test("with other tags behind it", async () => {
    await expectPlays(joined(mp3, new TextEncoder().encode("TAG".padEnd(128))), delayed);
  });

  test("of two sample rates, one after the other", async () => {
    const packets = await packetsOfBytes(caseFile("mp3-concat-rate.mp3"));
    expect(packets.length * packetSeconds).toBeWithin(2.68, 2.72);
    const sound = await heard(packets);
    expect(correlation(musicAt48k, sound, 1_300)).toBeGreaterThan(0.9);
    const second = sound.subarray(Math.round(1.3322 * opusSampleRate));
    expect(correlation(musicAt48k, second, 3_000)).toBeGreaterThan(0.9);
  });

  test("within WAV", async () => {
    const format = formatChunk({ tag: 0x55, blockBytes: 1, bits: 0 });
    await expectPlays(
      riffFile([format, riffChunk("data", mp3), riffChunk("LIST", new Uint8Array(99))]),
      delayed,
    );
  });

  test("with a tag that states no frames, whose delay and padding still count", async () => {
    await expectPlays(caseFile("mp3-xing-noframes.mp3"), { minCorrelation: 0.9 });
  });
});

const stereo = caseFile("opus-fam1-st.opus");
const mono = caseFile("opus-fam1-mo.opus");
const lossy = { minCorrelation: 0.9 };

/** The case file with a plain head, and with its granules shifted. */
function opusFile(shift: bigint, head: (head: Uint8Array) => Uint8Array = plainHead, from = stereo) {
  return editOggPages(from, (page, at) =>
    at === 0
      ? withBody(head(page.body.slice()))
      : { granule: page.granule > 0n ? page.granule + shift : page.granule },
  );
}

function plainHead(head: Uint8Array): Uint8Array {
  head[18] = 0;
  return head.subarray(0, 19);
}

function longSkipHead(head: Uint8Array): Uint8Array {
  const out = plainHead(head);
  new DataView(out.buffer, out.byteOffset).setUint16(10, 24_000, true);
  return out;
}

function withBody(body: Uint8Array) {
  return { body, lengths: Uint8Array.of(body.length) };
}

function preSkipOf(head: Uint8Array): number {
  return head[10]! | (head[11]! << 8);
}

describe("an Ogg/Opus file plays", () => {
  test("with channel mapping family 1, in mono, stereo and 5.1", async () => {
    await expectPlays(stereo, lossy);
    await expectPlays(mono, { ...lossy, maxDelay: 312 });
    await expectPlays(caseFile("opus-51.opus"), lossy);
  });

  test("without its pre-skip, however long", async () => {
    for (const from of [stereo, mono]) {
      const source = musicAt48k.subarray(24_000 - preSkipOf(opusHeadOf(from)));
      const file = opusFile(0n, longSkipHead, from);
      await expectPlays(file, { ...lossy, source: source.subarray(0, 62_400 - 24_000) });
    }
  });

  test("without the end that its last granule trims", async () => {
    for (const [from, samples] of [
      [stereo, 62_400],
      [mono, 63_048],
    ] as const) {
      const pages = editOggPages(from, (page) => (page.isLast ? { granule: page.granule - 4_000n } : page));
      const source = musicAt48k.subarray(0, 58_400);
      const seconds = (samples - 4_000) / opusSampleRate;
      await expectPlays(pages, { ...lossy, source, seconds, maxDelay: 312 });
    }
  });

  test("with granules that begin at one hour", async () => {
    await expectPlays(opusFile(3_600n * 48_000n), lossy);
  });

  test("without a page whose checksum is wrong", async () => {
    const coded = new OggOpusParser().push(stereo).flatMap((run) => run.packets);
    const head = opusHead({ channels: 2, preSkip: 312 });
    const pages = oggPages(oggFile([head, opusTags(), ...coded], { segmentsPerPage: 8 }));
    pages[5]![22] = pages[5]![22]! ^ 1;
    const packets = await packetsOfBytes(joined(...pages));
    expect(packets.length).toBeWithin(52, 64);
    expect(correlation(musicAt48k.subarray(0, 7_000), await heard(packets), 1)).toBeGreaterThan(0.9);
  });

  test("with another stream after it", async () => {
    const sound = await expectPlays(joined(opusFile(0n), opusFile(0n), mono), {
      ...lossy,
      seconds: 2 * 1.3 + 1.3135,
    });
    for (const at of [1.3, 2.6]) {
      const second = sound.subarray(Math.round(at * opusSampleRate));
      expect(correlation(musicAt48k, second, 1)).toBeGreaterThan(0.9);
    }
  });

  test.each([
    ["zeros", new Uint8Array(512)],
    ["an ID3v1 tag", new TextEncoder().encode("TAG".padEnd(128))],
    ["half a page", stereo.subarray(47, 200)],
  ])("with %s behind it", async (_, bytes) => {
    await expectPlays(joined(opusFile(0n), bytes), lossy);
  });

  test.each([0, 70, 200_000])("behind an ID3 tag of %d bytes", async (bytes) => {
    await expectPlays(joined(id3Tag(bytes), opusFile(0n)), lossy);
  });

  test("with an empty last page, as VLC writes it", async () => {
    const pages = editOggPages(opusFile(0n), (page) => (page.isLast ? { isLast: false } : page));
    const last = editOggPages(opusFile(0n), (page) =>
      page.isLast
        ? { number: page.number + 1, body: new Uint8Array(0), lengths: Uint8Array.of(0) }
        : undefined,
    );
    await expectPlays(joined(pages, last), lossy);
  });
});

function opusHeadOf(file: Uint8Array): Uint8Array {
  return file.subarray(28, 28 + 19);
}

describe("a sound is refused for what it is:", () => {
  const aac = joined(
    ...Array.from({ length: 9 }, () => [0xff, 0xf1, 0x50, 0x80, 0x01, 0x7f, 0xfc, 1, 2, 3, 4]),
  );
  test.each([
    ["MP3 of free format", caseFile("mp3-free.mp3"), "free format"],
    ["MP3 of free format behind a tag", joined(id3Tag(69), caseFile("mp3-free.mp3")), "free format"],
    ["a WAV file of unknown coding", riffFile([formatChunk({ tag: 0x31, blockBytes: 65, bits: 0 })]), "GSM"],
    ["AAC", aac, "audio/aac"],
    ["FLAC behind a tag", joined(id3Tag(100), new TextEncoder().encode("fLaC".padEnd(99))), "audio/flac"],
    ["a tag and nothing else", id3Tag(50), "no MP3 audio"],
    ["nothing", new Uint8Array(0), "an empty file"],
  ])("%s", async (_, bytes, reason) => {
    await expect(packetsOfBytes(bytes)).rejects.toThrow(reason);
  });
});

async function refusal(write: (path: string) => void): Promise<{ reason: string; pace: CountingPace }> {
  using folder = temporaryFolder();
  const path = join(folder.path, "sound");
  write(path);
  const pace = new CountingPace();
  try {
    await packetsOfPath(path, pace);
  } catch (error) {
    return { reason: String(error), pace };
  }
  throw new Error("not refused");
}

describe("no step for a sound holds up others:", () => {
  const maxStepBytes = 512 * KiB;

  test("60,000 chunks before the audio of a WAV file", async () => {
    const chunks = Array.from({ length: 60_000 }, () => riffChunk("JUNK", []));
    const file = riffFile([...chunks, plainFormat, dataChunk]);
    const { reason, pace } = await refusal((path) => fs.writeFileSync(path, file));
    expect(reason).toContain("too many chunks");
    expect(pace.maxStepBytes).toBeLessThan(maxStepBytes);
    expect(pace.steps).toBeLessThan(20);
  });

  test("a file without audio behind its tag, however large", async () => {
    const { reason, pace } = await refusal((path) => {
      fs.writeFileSync(path, joined(id3Tag(10), mp3.subarray(0, 4)));
      fs.truncateSync(path, 2 ** 36);
    });
    expect(reason).toContain("no audio in 64 MiB");
    expect(pace.maxStepBytes).toBeLessThan(maxStepBytes);
    expect(pace.steps).toBeLessThan(maxSoundGapBytes / (32 * KiB));
  });

  test("an Ogg file of damaged pages", async () => {
    const page = editOggPages(stereo, (each, at) => (at === 2 ? each : undefined));
    page[22] = page[22]! ^ 1;
    const count = Math.ceil((1.2 * maxOggDamageBytes) / page.length);
    const { reason, pace } = await refusal((path) =>
      fs.writeFileSync(path, joined(stereo.subarray(0, 57), ...Array.from({ length: count }, () => page))),
    );
    expect(reason).toContain("no audio in 64 MiB");
    expect(pace.maxStepBytes).toBeLessThan(maxStepBytes);
  });
});
