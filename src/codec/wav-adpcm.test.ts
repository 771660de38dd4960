import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { wavAdpcmFile } from "../testing/fixtures/wav.ts";
import { decodeWavAdpcmBlock, parseWavAdpcmHead, wavAdpcmSamples } from "./wav-adpcm.ts";
import { encodeWavHeader, parseWavHead } from "./wav.ts";

const golden = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dir, "../../data/golden", name)));

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

  test("is distinguished from other files, PCM among them", () => {
    const file = wavAdpcmFile(new Int16Array(2_000), 1, 8_000);
    const head = parseWavAdpcmHead(file, file.length);
    if (head.kind !== "format") throw new Error(head.kind);
    expect(head.format).toMatchObject({ sampleRate: 8_000, channels: 1, blockBytes: 256, dataAt: 60 });
    expect(head.format.dataBytes).toBe(file.length - 60);
    expect(parseWavHead(file, file.length).kind).toBe("refused");
    expect(parseWavAdpcmHead(encodeWavHeader(8_000, 1, 0), 44).kind).toBe("refused");
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
