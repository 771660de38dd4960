import { describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { maxOggDamageBytes, maxSoundGapBytes } from "../../../src/base/limits/sounds.ts";
import { KiB } from "../../../src/base/limits/units.ts";
import { editOggPages } from "../../../src/testing/fixtures/ogg.ts";
import { formatChunk, id3Tag, riffChunk, riffFile } from "../../../src/testing/fixtures/riff.ts";
import { temporaryFolder } from "../../../src/testing/fixtures/temporary-folder.ts";
import {
  caseFile,
  CountingPace,
  joined,
  musicBytes,
  packetsOfBytes,
  packetsOfPath,
} from "../../../src/testing/harness/played-sound.ts";
import { testLimitMs } from "../../../src/testing/harness/until.ts";

setDefaultTimeout(testLimitMs);

const stereo = caseFile("opus-fam1-st.opus");
const mp3 = caseFile("mp3-xing-noframes.mp3").subarray(417);
const plainFormat = formatChunk({ blockBytes: 4, bits: 16 });
const dataChunk = riffChunk("data", musicBytes);

describe("a sound is refused for what it is:", () => {
  const aac = joined(
    ...Array.from({ length: 9 }, () => [0xff, 0xf1, 0x50, 0x80, 0x01, 0x7f, 0xfc, 1, 2, 3, 4]),
  );
  test.each([
    ["MP3 of free format", caseFile("mp3-free.mp3"), "free format"],
    ["MP3 of free format behind a tag", joined(id3Tag(69), caseFile("mp3-free.mp3")), "free format"],
    ["a WAV file of unknown coding", riffFile([formatChunk({ tag: 0x31, blockBytes: 65, bits: 0 })]), "GSM"],
    ["AAC", aac, "audio/aac"],
    [
      "FLAC without a head, behind a tag",
      joined(id3Tag(100), new TextEncoder().encode("fLaC".padEnd(99))),
      "damaged metadata",
    ],
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
