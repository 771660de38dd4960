import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { MiB } from "../../../src/base/limits/units.ts";
import { opusSampleRate } from "../../../src/codec/opus.ts";
import { formatChunk, id3Tag, riffChunk, riffFile, sizesChunk } from "../../../src/testing/fixtures/riff.ts";
import { correlation, heard, level } from "../../../src/testing/fixtures/sound.ts";
import { wavAdpcmFile, wavFile } from "../../../src/testing/fixtures/wav.ts";
import {
  caseFile,
  expectPlays,
  joined,
  music,
  musicBytes,
  musicMono,
  packetsOfBytes,
  resampled,
} from "../../../src/testing/harness/played-sound.ts";
import { testLimitMs } from "../../../src/testing/harness/until.ts";

setDefaultTimeout(testLimitMs);

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
