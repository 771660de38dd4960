import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { editOggPages } from "../../testing/fixtures/ogg.ts";
import { formatChunk, id3Tag, riffChunk, riffFile, sizesChunk } from "../../testing/fixtures/riff.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { wavAdpcmFile } from "../../testing/fixtures/wav.ts";
import { type AudioDetails, inspectAudio } from "./audio-details.ts";
import { openBelow } from "./file.ts";

const data = new URL("../../../data/", import.meta.url).pathname;
const read = (name: string) => new Uint8Array(fs.readFileSync(join(data, name)));

async function detailsOf(bytes: Uint8Array, name = "sound"): Promise<AudioDetails> {
  using folder = temporaryFolder();
  fs.writeFileSync(join(folder.path, name), bytes);
  const file = await openBelow(folder.path, join(folder.path, name));
  try {
    return await inspectAudio(name, file!);
  } finally {
    await file!.close();
  }
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

const format = formatChunk({ blockBytes: 4, bits: 16 });
const audio = new Uint8Array(4 * 57_330);
const dataChunk = riffChunk("data", audio);
const wav = riffFile([format, dataChunk]);
const sizes = sizesChunk(0, audio.length, 57_330);
const rf64 = riffFile([sizes, format, riffChunk("data", audio, 0xffffffff)], {
  magic: "RF64",
  size: 0xffffffff,
});
const adpcm = wavAdpcmFile(new Int16Array(57_330), 1, 44_100);
const cutAdpcm = riffFile([
  formatChunk({ tag: 0x11, channels: 1, blockBytes: 256, bits: 4 }),
  riffChunk("data", adpcm.subarray(60, 60 + 100 * 256 + 104)),
]);
const opus = read("cases/opus-fam1-st.opus");
const mp3 = read("cases/mp3-xing-noframes.mp3");
const hour = 3_600n * 48_000n;
const later = editOggPages(opus, ({ granule }) => ({ granule: granule > 0n ? granule + hour : granule }));

describe("the type and duration of a file are those that other players show:", () => {
  test.each<[string, Uint8Array, string, number | null]>([
    ["WAV", wav, "audio/wav", 1.3],
    ["RF64", rf64, "audio/wav", 1.3],
    ["WAV behind a tag", joined(id3Tag(100_000), wav), "audio/wav", 1.3],
    [
      "WAV with a late start",
      riffFile([riffChunk("JUNK", new Uint8Array(1 << 20)), format, dataChunk]),
      "audio/wav",
      1.3,
    ],
    [
      "WAV with a block size of 0",
      riffFile([formatChunk({ blockBytes: 0, bits: 16 }), dataChunk]),
      "audio/wav",
      1.3,
    ],
    [
      "WAV with a wrong block size",
      riffFile([formatChunk({ blockBytes: 2, bits: 16 }), dataChunk]),
      "audio/wav",
      1.3,
    ],
    ["WAV of 12 bits", riffFile([formatChunk({ blockBytes: 4, bits: 12 }), dataChunk]), "audio/wav", 1.3],
    [
      "WAV of too many chunks",
      riffFile(Array.from({ length: 60_000 }, () => riffChunk("JUNK", []))),
      "audio/wav",
      null,
    ],
    ["IMA ADPCM", adpcm, "audio/wav", 1.3],
    ["IMA ADPCM, cut and without a fact", cutAdpcm, "audio/wav", (100 * 505 + 201) / 44_100],
    ["MP3 with a tag that states no frames", mp3, "audio/mpeg", 1.3],
    ["MP3 behind zeros", joined(new Uint8Array(1_000), mp3), "audio/mpeg", 1.3],
    ["MP3 of two rates", read("cases/mp3-concat-rate.mp3"), "audio/mpeg", 2.6906],
    ["MP3 of free format", read("cases/mp3-free.mp3"), "audio/mpeg", null],
    ["Opus", opus, "audio/ogg; codecs=opus", 1.3],
    ["Opus behind a tag", joined(id3Tag(1_000), opus), "audio/ogg; codecs=opus", 1.3],
    ["Opus before zeros", joined(opus, new Uint8Array(512)), "audio/ogg; codecs=opus", 1.3],
    ["Opus that begins at one hour", later, "audio/ogg; codecs=opus", 1.3],
    ["chained Opus", joined(opus, read("cases/opus-fam1-mo.opus")), "audio/ogg; codecs=opus", 2.6135],
    ["Opus of six channels", read("cases/opus-51.opus"), "audio/ogg; codecs=opus", 1.3],
    ["nothing", new Uint8Array(0), "application/octet-stream", null],
  ])("%s", async (_, bytes, type, duration) => {
    const details = await detailsOf(bytes);
    expect(details.type).toBe(type);
    if (duration === null) expect(details.duration).toBeNull();
    else expect(details.duration).toBeCloseTo(duration, 3);
  });
});
