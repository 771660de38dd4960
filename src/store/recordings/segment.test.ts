import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../testing/harness/bytes.ts";
import { countingPayload, frameMessage, isCounting } from "../../testing/harness/peers/ingest-device.ts";
import { readSegment } from "../../testing/harness/recorded-files.ts";
import { placementOf } from "../../testing/fixtures/placement.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { AppendBuffer } from "./append-buffer.ts";
import { Segment } from "./segment.ts";
import { WavDigest } from "./wav-digest.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

const format = { sampleRate: 16_000, channels: 1 };
const start = { startedAt: 1000, placement: placementOf("c.0"), latePlacement: undefined, lostBefore: 0 };
const open = (name = "mic/x") => Segment.open(folder.path, name, format, start);
const fileNames = () => fs.readdirSync(join(folder.path, "mic")).sort();

/** Writes a few bytes and then fails, as on a full disk. */
class FullDiskBuffer extends AppendBuffer {
  override writeTo(descriptor: number): void {
    fs.writeSync(descriptor, this.unwritten(), 0, 7, this.fileBytes);
    throw Object.assign(new Error("full"), { code: "ENOSPC" });
  }
}

function put(segment: Segment, bin: AppendBuffer, wav: AppendBuffer, seq: number): void {
  const pcm = countingPayload(seq * 320, 320);
  const message = frameMessage(0, seq, pcm);
  bin.append(message, 0, message.length);
  wav.append(pcm, 0, pcm.length);
  segment.counts.frames += 1;
  segment.counts.samples += 320;
}

function save(segment: Segment, bin: AppendBuffer, wav: AppendBuffer): void {
  segment.append(bin, wav);
  bin.markWritten(0);
  wav.markWritten(0);
}

function digestOf(wav: Uint8Array) {
  const digest = new WavDigest();
  digest.add(wav);
  return digest.finish();
}

describe("a segment", () => {
  for (const full of ["bin", "wav"]) {
    test(`rolls back all of an append that fails in the .${full}, and is whole afterwards`, () => {
      const segment = open();
      const [bin, wav] = [new AppendBuffer(1024), new AppendBuffer(1024)];
      segment.adopt(bin, wav);
      put(segment, bin, wav, 0);
      save(segment, bin, wav);
      const fullBin = full === "bin" ? new FullDiskBuffer(1024) : new AppendBuffer(1024);
      const fullWav = full === "wav" ? new FullDiskBuffer(1024) : new AppendBuffer(1024);
      fullBin.startFile(652);
      fullWav.startFile(44 + 640);
      put(segment, fullBin, fullWav, 1);
      expect(() => segment.append(fullBin, fullWav)).toThrow("full");
      expect(segment.rollBack()).toBe(true);
      segment.finish();
      while (!segment.hashNext(new Uint8Array(100)));
      segment.close();
      const read = readSegment(folder.path, "mic/x");
      expect(read.frames.length).toBe(1);
      expect(read.samples.length).toBe(320);
      expect(isCounting(read.samples)).toBe(true);
      expect(segment.counts).toEqual({ frames: 1, samples: 320, gaps: 0, lostFrames: 0 });
      expect(segment.hashes()).toEqual({
        bin: { bytes: 652, sha256: sha256(read.bin) },
        wav: digestOf(read.wav),
      });
    });
  }

  test("leaves no files if its first append fails", () => {
    const segment = open();
    const [bin, wav] = [new FullDiskBuffer(1024), new AppendBuffer(1024)];
    segment.adopt(bin, wav);
    put(segment, bin, wav, 0);
    expect(() => segment.append(bin, wav)).toThrow("full");
    expect(segment.rollBack()).toBe(false);
    expect(fileNames()).toEqual([]);
    segment.close();
  });

  test("takes the first name for which neither file exists", () => {
    fs.mkdirSync(join(folder.path, "mic"));
    fs.writeFileSync(join(folder.path, "mic/x.wav"), "somebody's");
    fs.writeFileSync(join(folder.path, "mic/x_2.bin"), "somebody's");
    const segments = [open(), open()];
    expect(segments.map((segment) => segment.name)).toEqual(["mic/x_3", "mic/x_4"]);
    for (const segment of segments) segment.close();
    expect(fileNames()).toEqual(["x.wav", "x_2.bin", "x_3.bin", "x_3.wav", "x_4.bin", "x_4.wav"]);
  });

  test("fails to open if its folder cannot be created", () => {
    fs.writeFileSync(join(folder.path, "mic"), "a file");
    expect(() => open()).toThrow();
  });
});
