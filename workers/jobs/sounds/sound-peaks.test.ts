import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeDat, type Peaks } from "../../../src/codec/peaks/dat.ts";
import { encodeWavHeader } from "../../../src/codec/wav/wav.ts";
import { failureOf } from "../../../src/testing/fixtures/failure-of.ts";
import { temporaryFolder } from "../../../src/testing/fixtures/temporary-folder.ts";
import { caseFile, music } from "../../../src/testing/harness/played-sound.ts";
import { EncodingPace } from "./encoding-pace.ts";
import { storePeaks } from "./sound-peaks.ts";
import { SoundSourceFile } from "./sound-source-file.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

async function peaksOf(audio: Uint8Array, isCancelled = () => false): Promise<Peaks> {
  const [source, stored] = [join(folder.path, "source"), join(folder.path, "peaks", "one")];
  writeFileSync(source, audio);
  const descriptor = openSync(source, "r");
  try {
    await storePeaks(
      new SoundSourceFile(descriptor, audio.length),
      stored,
      new EncodingPace(isCancelled, () => {}),
    );
    expect(readdirSync(join(folder.path, "peaks"))).toEqual(["one"]);
    return decodeDat(readFileSync(stored))!;
  } finally {
    closeSync(descriptor);
  }
}

function wav(pcm: Int16Array, channels = 1): Uint8Array {
  return Buffer.concat([encodeWavHeader(16_000, channels, pcm.byteLength), new Uint8Array(pcm.buffer)]);
}

describe("the peaks of a sound", () => {
  test("of WAV are those of its samples, mixed to mono", async () => {
    const pcm = Int16Array.from({ length: 20_000 }, (_, at) => ((at * 7919) % 65_536) - 32_768);
    const found = await peaksOf(wav(pcm));
    expect(found).toMatchObject({ sampleRate: 16_000, samplesPerPixel: 256, channels: 1 });
    const expected = Array.from({ length: Math.ceil(pcm.length / 256) }, (_, pixel) => {
      const own = pcm.subarray(256 * pixel, 256 * pixel + 256);
      return [Math.min(...own), Math.max(...own)];
    }).flat();
    expect([...found.data]).toEqual(expected);
    const stereo = await peaksOf(wav(Int16Array.of(100, 300, -50, -150), 2));
    expect([...stereo.data]).toEqual([-100, 200]);
  });

  test("of FLAC are those of the same audio as WAV", async () => {
    const found = await peaksOf(caseFile("flac-stereo.flac"));
    expect(found).toEqual({ ...(await peaksOf(wav(music.slice(), 2))), sampleRate: 44_100 });
    expect(found.data.length).toBe(2 * Math.ceil(music.length / 2 / 256));
  });

  test.each([
    ["MP3", "mp3-xing-noframes.mp3"],
    ["MP3 that changes its sample rate", "mp3-concat-rate.mp3"],
    ["Ogg Opus", "opus-fam1-st.opus"],
  ])("of %s have its duration, and are not silent", async (_, name) => {
    const { data, sampleRate, samplesPerPixel } = await peaksOf(caseFile(name));
    expect(((data.length / 2) * samplesPerPixel) / sampleRate).toBeWithin(1, 4);
    expect(Math.max(...data)).toBeGreaterThan(1000);
  });

  test("are not stored if the sound has no audio, or is cancelled", async () => {
    expect(await failureOf(peaksOf(new TextEncoder().encode("text")))).toBe("SOUND_UNREADABLE");
    expect(await failureOf(peaksOf(wav(new Int16Array(0))))).toBe("SOUND_UNREADABLE");
    expect(await failureOf(peaksOf(wav(new Int16Array(20_000)), () => true))).toContain("cancelled");
    expect(await failureOf(peaksOf(caseFile("flac-stereo.flac"), () => true))).toContain("cancelled");
    expect(readdirSync(folder.path)).toEqual(["source"]);
  });
});
