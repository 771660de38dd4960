import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { wavAdpcmFile } from "../../testing/fixtures/wav.ts";
import { decodeWavAdpcmBlock, wavAdpcmSamples } from "./adpcm.ts";
import { decodeWavFrames, wavSamples } from "./samples.ts";
import { parseWavHead, type WavFormat } from "./wav.ts";

const golden = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dir, "../../../data/golden", name)));

function formatOf(file: Uint8Array): WavFormat {
  const head = parseWavHead(file, file.length);
  if (head.kind !== "format") throw new Error(head.kind);
  return head.format;
}

describe("IMA ADPCM in WAV", () => {
  test.each([
    ["mono", 1, 256],
    ["stereo", 2, 512],
  ] as const)("decodes blocks of SoX in %s as SoX does", (kind, channels, block) => {
    const coded = golden(`sox-${kind}-low.adpcm`);
    const plain = golden(`sox-${kind}-low.s16le`);
    const expected = new Int16Array(plain.buffer, plain.byteOffset, plain.length / 2);
    let at = 0;
    for (let from = 0; from + block <= coded.length; from += block) {
      const samples = decodeWavAdpcmBlock(coded.subarray(from, from + block), channels)!;
      expect(samples.length).toBe(505 * channels);
      expect(samples).toEqual(expected.subarray(at, at + samples.length));
      at += samples.length;
    }
    expect(at).toBe(expected.length);
  });

  test("begins a block with the predictor of its header", () => {
    const block = Uint8Array.of(0x34, 0x12, 0, 0, 0, 0, 0, 0);
    expect([...decodeWavAdpcmBlock(block, 1)!]).toEqual(Array.from({ length: 9 }, () => 0x1234));
  });

  test("is found in a file, with its blocks and samples", () => {
    const file = wavAdpcmFile(new Int16Array(2_000), 1, 8_000);
    const format = formatOf(file);
    expect(format).toMatchObject({ sampleRate: 8_000, channels: 1, encoding: "ima-adpcm", frameBytes: 256 });
    expect(format).toMatchObject({ dataAt: 60, dataBytes: file.length - 60 });
    expect(wavSamples(format, format.dataBytes!)).toBe(2_000);
  });

  test("has the samples of its blocks if the file does not state them, or states nonsense", () => {
    const file = wavAdpcmFile(new Int16Array(2_000), 1, 8_000);
    const format = formatOf(file);
    for (const statedSamples of [undefined, 0, 1, 2_020, 4_000_000_000]) {
      const { statedSamples: _, ...rest } = format;
      const stated = statedSamples === undefined ? rest : { ...rest, statedSamples };
      expect(wavSamples(stated, 4 * 256)).toBe(4 * 505);
      expect(wavSamples(stated, 3 * 256 + 104)).toBe(3 * 505 + 201);
    }
  });

  test("with a damaged block loses that block alone", () => {
    const pcm = Int16Array.from({ length: 4 * 505 }, (_, at) => 8_000 * Math.sin(at / 9));
    const file = wavAdpcmFile(pcm, 1, 8_000);
    const format = formatOf(file);
    const whole = decodeWavFrames(file.subarray(60), format);
    file[60 + 256 + 2] = 89;
    const damaged = decodeWavFrames(file.subarray(60), format);
    expect(damaged.subarray(505, 1_010)).toEqual(new Int16Array(505));
    expect([damaged.subarray(0, 505), damaged.subarray(1_010)]).toEqual([
      whole.subarray(0, 505),
      whole.subarray(1_010),
    ]);
  });

  test("never throws for any block", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.integer({ min: 1, max: 8 }), (block, channels) => {
        const samples = decodeWavAdpcmBlock(block, channels);
        if (samples !== undefined)
          expect(samples.length).toBe(wavAdpcmSamples(block.length, channels) * channels);
      }),
    );
  });
});
