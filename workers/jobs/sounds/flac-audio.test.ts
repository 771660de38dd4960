import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { maxFlacSamples, maxSoundGapBytes } from "../../../src/base/limits/sounds.ts";
import { KiB, MiB } from "../../../src/base/limits/units.ts";
import { flacFrame, flacHead, flacHeader } from "../../../src/testing/fixtures/flac.ts";
import { failureOf } from "../../../src/testing/fixtures/failure-of.ts";
import { id3Tag } from "../../../src/testing/fixtures/riff.ts";
import { temporaryFolder } from "../../../src/testing/fixtures/temporary-folder.ts";
import {
  caseFile,
  CountingPace,
  expectPlays,
  joined,
  music,
} from "../../../src/testing/harness/played-sound.ts";
import { testLimitMs } from "../../../src/testing/harness/until.ts";
import { openAudio } from "./open-audio.ts";
import { SoundSourceFile } from "./sound-source-file.ts";

setDefaultTimeout(testLimitMs);

const stereo = caseFile("flac-stereo.flac");

/** All samples at 16 bits, and their rate. */
async function decoded(
  bytes: Uint8Array,
  pace = new CountingPace(),
): Promise<{ pcm: number[]; sampleRate: number }> {
  using folder = temporaryFolder();
  const path = join(folder.path, "sound");
  writeFileSync(path, bytes);
  const descriptor = openSync(path, "r");
  try {
    const audio = await openAudio(new SoundSourceFile(descriptor, bytes.length), pace);
    const out = { pcm: [] as number[], sampleRate: 0 };
    for (let piece = await audio.read(); piece !== undefined; piece = await audio.read()) {
      for (const sample of piece.samples) out.pcm.push(sample * 32_768);
      out.sampleRate = piece.sampleRate;
    }
    return out;
  } finally {
    closeSync(descriptor);
  }
}

const means = Array.from({ length: music.length / 2 }, (_, at) => (music[2 * at]! + music[2 * at + 1]!) / 2);

describe("a FLAC file", () => {
  test("is decoded to the very samples that were encoded", async () => {
    const { pcm, sampleRate } = await decoded(stereo);
    expect(sampleRate).toBe(44_100);
    expect(pcm).toEqual(means);
  });

  test("of 24 bits and 96 kHz is decoded to what its encoder checked", async () => {
    const file = caseFile("flac-24.flac");
    const { pcm, sampleRate } = await decoded(file);
    expect([pcm.length, sampleRate]).toEqual([19_200, 96_000]);
    const bytes = Buffer.alloc(3 * pcm.length);
    for (const [at, sample] of pcm.entries()) bytes.writeIntLE(sample * 256, 3 * at, 3);
    const md5 = Buffer.from(file.subarray(26, 42)).toString("hex");
    expect(new Bun.CryptoHasher("md5").update(bytes).digest("hex")).toBe(md5);
  });

  test("plays on devices, also behind a tag", async () => {
    await expectPlays(stereo);
    await expectPlays(joined(id3Tag(2_000), stereo));
  });

  test("with damage inside loses the damaged frames alone", async () => {
    for (const junk of [new Uint8Array(300_000), new Uint8Array(70_000).fill(0xff), id3Tag(20_000)]) {
      const { pcm } = await decoded(joined(stereo.subarray(0, 30_000), junk, stereo.subarray(30_000)));
      const lost = means.length - pcm.length;
      expect(lost).toBeWithin(1, 4_097);
      const before = pcm.findIndex((sample, at) => sample !== means[at]);
      expect(pcm.slice(before)).toEqual(means.slice(before + lost));
    }
  });

  test("that is cut off gives the frames that are whole", async () => {
    const { pcm } = await decoded(stereo.subarray(0, 40_000));
    expect(pcm.length).toBeWithin(means.length / 2, means.length);
    expect(pcm).toEqual(means.slice(0, pcm.length));
  });
});

describe("a hostile FLAC file", () => {
  test("whose head lies about samples, block sizes and channels is decoded by its frames", async () => {
    const head = flacHead({ sampleRate: 1, channels: 8, bits: 32, samples: 2 ** 36 - 1 });
    const { pcm, sampleRate } = await decoded(joined(head, flacFrame({ planes: [[1, 2, 3]] })));
    expect({ pcm, sampleRate }).toEqual({ pcm: [1, 2, 3], sampleRate: 44_100 });
  });

  test("with a sample rate that no audio has is refused", async () => {
    for (const sampleRate of [0, 1, 999]) {
      const file = joined(flacHead({ sampleRate }), flacFrame({ planes: [[1, 2]], sampleRate: "stream" }));
      expect(await failureOf(decoded(file))).toBe("SOUND_UNREADABLE");
    }
  });

  test("of headers without frames is refused within the limit of damage, in short steps", async () => {
    const header = Uint8Array.from(flacHeader({ planes: [Array.from({ length: 65_536 }, () => 0)] }));
    const file = Buffer.concat([flacHead(), ...Array.from({ length: 2_000 }, () => header)]);
    const pace = new CountingPace();
    expect(await failureOf(decoded(file, pace))).toBe("SOUND_UNREADABLE");
    expect(pace.maxStepBytes).toBeLessThan(MiB);
  });

  test("of bytes that look like sync codes is refused in few steps", async () => {
    const pace = new CountingPace();
    const codes = new Uint8Array(4 * MiB).map((_, at) => (at % 2 === 0 ? 0xff : 0xf8));
    expect(await failureOf(decoded(joined(flacHead(), codes), pace))).toBe("SOUND_UNREADABLE");
    expect(pace.steps).toBeLessThan((4 * MiB) / (32 * KiB));
    expect(codes.length).toBeLessThan(maxSoundGapBytes);
  });

  test("that stands for more audio than the limit is refused, whatever is damaged of it", async () => {
    const planes = Array.from({ length: 8 }, () => Array.from({ length: 65_536 }, () => 0));
    const damaged = Uint8Array.from([...flacHeader({ planes }), 0xff, 0]);
    const frames = Math.ceil(maxFlacSamples / (8 * 65_536)) + 1;
    const file = Buffer.concat([flacHead(), ...Array.from({ length: frames }, () => damaged)]);
    expect(file.length).toBeLessThan(MiB);
    expect(await failureOf(decoded(file))).toBe("SOUND_TOO_LONG");
  });
});
