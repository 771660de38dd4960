import { describe, expect, test } from "bun:test";
import { maxReadingBytes } from "../../base/limits/streams.ts";
import { id3Text } from "../../testing/fixtures/id3.ts";
import { caseFile } from "../../testing/harness/played-sound.ts";
import { noFindings, readFindings } from "./audio-reading.ts";

/** A file whose bytes behind `head` are frames of no known format. Counts what is read of it. */
function fileOf(head: Uint8Array, size: number) {
  const reads = { bytes: 0 };
  const read = async (offset: number, length: number) => {
    reads.bytes += length;
    const bytes = new Uint8Array(length).fill(0x55);
    if (offset < head.length) bytes.set(head.subarray(offset, offset + length));
    return bytes;
  };
  return { file: { size, read }, reads };
}

describe("the findings of a file", () => {
  test("of FLAC are what its head says", async () => {
    const bytes = caseFile("flac-24.flac");
    const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
    const { audio } = await readFindings({ size: bytes.length, read }, "audio/flac");
    expect(audio).toMatchObject({ container: "FLAC", duration: 0.2, sampleRate: 96_000, channels: 1 });
  });

  test("cost no more bytes than the limit, however long it is", async () => {
    for (const size of [maxReadingBytes, 1024 * maxReadingBytes]) {
      for (const format of ["audio/mpeg", "audio/ogg", "audio/wav", "audio/flac", "audio/mp4"]) {
        const { file, reads } = fileOf(id3Text({ TIT2: "x" }), size);
        await readFindings(file, format);
        expect(reads.bytes).toBeLessThanOrEqual(maxReadingBytes + 64 * 1024);
      }
    }
  });

  test("are nothing if the disk fails, or the format is unknown", async () => {
    const failing = { size: 1000, read: () => Promise.reject(new Error("EIO")) };
    expect(await readFindings(failing, "audio/mpeg")).toEqual(noFindings);
    expect(await readFindings(fileOf(new Uint8Array(4), 1000).file, "audio/unknown")).toEqual(noFindings);
  });

  test("end when their time is over", async () => {
    const { file } = fileOf(new Uint8Array(0), 1000 * maxReadingBytes);
    const slow = {
      size: file.size,
      read: async (offset: number, length: number) => {
        await Bun.sleep(500);
        return await file.read(offset, length);
      },
    };
    expect(await readFindings(slow, "audio/mpeg")).toEqual(noFindings);
  });
});
