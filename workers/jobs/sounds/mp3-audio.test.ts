import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { opusSampleRate } from "../../../src/codec/opus.ts";
import { formatChunk, id3Tag, riffChunk, riffFile } from "../../../src/testing/fixtures/riff.ts";
import { correlation, heard } from "../../../src/testing/fixtures/sound.ts";
import {
  caseFile,
  expectPlays,
  joined,
  musicAt48k,
  packetSeconds,
  packetsOfBytes,
} from "../../../src/testing/harness/played-sound.ts";
import { testLimitMs } from "../../../src/testing/harness/until.ts";

setDefaultTimeout(testLimitMs);

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
