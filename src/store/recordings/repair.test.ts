import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../testing/harness/bytes.ts";
import { countingPayload, frameMessage, isCounting } from "../../testing/harness/peers/ingest-device.ts";
import { readSegment } from "../../testing/harness/recorded-files.ts";
import type { StartedSegment } from "../../base/recording-entry.ts";
import { placementOf } from "../../testing/fixtures/placement.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { decodeDat } from "../../codec/peaks/dat.ts";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { listSegments, repairSegment } from "./repair.ts";
import { WavChecksum } from "./wav-digest.ts";

const name = "mic/stream_7_mic_20260102_030405";
let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
  fs.mkdirSync(join(folder.path, "mic"));
});
afterEach(() => folder[Symbol.dispose]());

const frames = [0, 1, 4].map((seq, index) => frameMessage(0, seq, countingPayload(index * 320, 320)));
const whole = Buffer.concat(frames);
const header = (bytes: number | undefined) => encodeWavHeader(16_000, 1, bytes);
const pcm = countingPayload(0, 960);

function write(bin: Uint8Array | undefined, wav: Uint8Array | undefined, as = name): void {
  if (bin !== undefined) fs.writeFileSync(join(folder.path, `${as}.bin`), bin);
  if (wav !== undefined) fs.writeFileSync(join(folder.path, `${as}.wav`), wav);
}

const repair = (as = name, started?: StartedSegment) => repairSegment(folder.path, as, started);
const there = () =>
  fs
    .readdirSync(folder.path, { recursive: true })
    .map(String)
    .filter((path) => path.includes("."));

const sumOf = (bytes: Buffer) => ({ bytes: bytes.length, sha256: sha256(bytes) });
const checksumOf = (bytes: Buffer) => {
  const checksum = new WavChecksum();
  checksum.add(bytes);
  return checksum.finish();
};

describe("repair", () => {
  test("truncates a torn frame, writes the sizes and describes the recording", () => {
    for (let cut = 0; cut < frames[2]!.length; cut++) {
      write(whole.subarray(0, whole.length - cut), Buffer.concat([header(undefined), pcm]));
      const isWhole = cut === 0;
      const entry = repair();
      const segment = readSegment(folder.path, name);
      expect(entry).toEqual({
        name,
        device: "mic",
        streamId: 7,
        codec: "pcm",
        sampleRate: 16_000,
        channels: 1,
        startedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
        endedAt: expect.any(Number),
        frames: isWhole ? 3 : 2,
        samples: 960,
        gaps: isWhole ? 1 : 0,
        lostFrames: isWhole ? 2 : 0,
        nibbleOrder: null,
        nibbleOrderBy: null,
        placement: placementOf(name, { sessionStartUs: Date.UTC(2026, 0, 2, 3, 4, 5) * 1000, run: "" }),
        bin: sumOf(segment.bin),
        wav: { ...sumOf(segment.wav), checksum: checksumOf(segment.wav) },
        peaks: expect.objectContaining({ peak: 959, clipped: 0 }),
      });
      expect(segment.frames.length).toBe(isWhole ? 3 : 2);
      expect(isCounting(segment.samples)).toBe(true);
    }
  });

  test("makes the peaks again, whatever is left of their file", () => {
    for (const left of [new Uint8Array(0), new Uint8Array(5000)]) {
      write(whole, Buffer.concat([header(undefined), pcm]));
      fs.writeFileSync(join(folder.path, `${name}.dat`), left);
      expect(repair()).toMatchObject({ peaks: { peak: 959, samplesPerPixel: 16_384 } });
      const peaks = decodeDat(fs.readFileSync(join(folder.path, `${name}.dat`)));
      expect(peaks).toEqual({
        sampleRate: 16_000,
        samplesPerPixel: 256,
        channels: 1,
        data: Int16Array.of(0, 255, 256, 511, 512, 767, 768, 959),
      });
    }
  });

  test("removes the peaks of a segment without frames", () => {
    write(new Uint8Array(0), header(undefined));
    fs.writeFileSync(join(folder.path, `${name}.dat`), "x");
    expect(repair()).toBe("removed");
    expect(there()).toEqual([]);
  });

  test("keeps the place in time that the writer reported, and finds the losses again", () => {
    write(whole, Buffer.concat([header(undefined), pcm]));
    const placement = placementOf("c.2", { position: 4_800 });
    const started = { name, placement, frameSamples: 320, fillGaps: false };
    expect(repair(name, started)).toMatchObject({
      placement: { ...placement, losses: [{ at: 640, samples: 640 }] },
    });
    expect(repair(name, { ...started, fillGaps: true })).toMatchObject({ placement });
  });

  test("counts the frames that were lost before the first one of the segment", () => {
    write(whole, Buffer.concat([header(undefined), pcm]));
    const placement = placementOf("c.2", { position: 4_800 });
    const started = { name, placement, lostBefore: 3, frameSamples: 320, fillGaps: false };
    expect(repair(name, started)).toMatchObject({
      gaps: 2,
      lostFrames: 5,
      placement: {
        losses: [
          { at: 0, samples: 960 },
          { at: 640, samples: 640 },
        ],
      },
    });
    write(whole, Buffer.concat([header(undefined), pcm]));
    expect(repair(name, { ...started, fillGaps: true })).toMatchObject({
      lostFrames: 5,
      placement: { losses: [] },
    });
  });

  test("places audio after a pause when it arrived, unless the device has caught up on its delay", () => {
    const placement = placementOf("c.0", { position: 16_000 });
    const latePlacement = placementOf("c.1", { sessionStartUs: 5_000_000 });
    const started = { name, placement, latePlacement, frameSamples: 320, fillGaps: false };
    const losses = [{ at: 640, samples: 640 }];
    const onTimeMs = 1_000 + (16_000 + 960 + 640) / 16;
    for (const [delayMs, expected] of [
      [3_600, latePlacement],
      [2_100, latePlacement],
      [2_000, placement],
      [300, placement],
    ] as const) {
      write(whole, Buffer.concat([header(undefined), pcm]));
      const writtenAt = (onTimeMs + delayMs) / 1000;
      fs.utimesSync(join(folder.path, `${name}.bin`), writtenAt, writtenAt);
      expect(repair(name, started)).toMatchObject({ placement: { ...expected, losses } });
    }
  });

  test("does not stretch time by frame numbers that a device skips", () => {
    const placement = placementOf("c.0", { position: 0 });
    const started = { name, placement, frameSamples: 320, fillGaps: false };
    const skipping = [0, 1, 5_000_000].map((seq, index) =>
      frameMessage(0, seq, countingPayload(index * 320, 320)),
    );
    write(Buffer.concat(skipping), Buffer.concat([header(undefined), pcm]));
    for (const [tookMs, lostMs] of [
      [1_000, 10_000],
      [25_000, 25_000],
    ] as const) {
      const writtenAt = (placement.sessionStartUs / 1000 + tookMs) / 1000;
      fs.utimesSync(join(folder.path, `${name}.bin`), writtenAt, writtenAt);
      const losses = [{ at: 640, samples: lostMs * 16 }];
      expect(repair(name, started)).toMatchObject({ placement: { losses } });
      write(Buffer.concat(skipping), Buffer.concat([header(undefined), pcm]));
    }
  });

  test("truncates a torn sample frame, whatever the sizes in the header", () => {
    for (const stated of [undefined, 0, 10, 5000]) {
      write(whole, Buffer.concat([header(stated), pcm.subarray(0, 1919)]));
      expect(repair()).toMatchObject({ samples: 959 });
      expect(readSegment(folder.path, name).samples.length).toBe(959);
    }
  });

  test("accepts frames whose samples were not written", () => {
    write(whole, header(undefined));
    expect(repair()).toMatchObject({ frames: 3, samples: 0 });
    readSegment(folder.path, name);
  });

  test("reads a long .bin in blocks", () => {
    const many = Array.from({ length: 9000 }, (_, seq) =>
      frameMessage(0, seq, countingPayload(seq * 320, 320)),
    );
    write(Buffer.concat([...many, frames[0]!.subarray(0, 20)]), header(undefined));
    expect(repair()).toMatchObject({ frames: 9000, gaps: 0, bin: { bytes: 9000 * 652 } });
  });

  test("removes segments without a whole frame or sample", () => {
    const cases: [Uint8Array | undefined, Uint8Array | undefined][] = [
      [Buffer.alloc(0), undefined],
      [Buffer.alloc(0), Buffer.alloc(0)],
      [Buffer.alloc(0), header(undefined)],
      [frames[0]!.subarray(0, 100), header(undefined)],
      [frames[0]!.subarray(0, 2), header(undefined)],
      [undefined, header(undefined).subarray(0, 20)],
    ];
    for (const [bin, wav] of cases) {
      write(bin, wav);
      expect(repair()).toBe("removed");
      expect(there()).toEqual([]);
    }
    expect(repair()).toBe("removed");
  });

  test("leaves files alone that no crash of this server leaves", () => {
    const foreign = Buffer.from("a file of another program");
    const float = Buffer.concat([header(8), pcm]);
    float.writeUInt16LE(3, 20);
    const cases: [Uint8Array | undefined, Uint8Array | undefined][] = [
      [foreign, Buffer.concat([header(undefined), pcm])],
      [foreign, undefined],
      [undefined, Buffer.concat([header(undefined), pcm])],
      [whole, undefined],
      [whole, foreign],
      [whole, float],
      [Buffer.concat([whole, Buffer.alloc(3 * 1024 * 1024)]), Buffer.concat([header(undefined), pcm])],
    ];
    for (const [bin, wav] of cases) {
      write(bin, wav);
      expect(repair()).toBe("damaged");
      if (bin !== undefined) expect(fs.readFileSync(join(folder.path, `${name}.bin`)).equals(bin)).toBe(true);
      if (wav !== undefined) expect(fs.readFileSync(join(folder.path, `${name}.wav`)).equals(wav)).toBe(true);
      for (const path of there()) fs.unlinkSync(join(folder.path, path));
    }
  });

  test("parses device and time from every name", () => {
    const names: [string, string | null, number][] = [
      ["stream_7_20260102_030405", null, 7],
      ["stream_4294967295_20260102_030405_12", null, 4294967295],
      ["a_b/stream_7_a_b_20260102_030405", "a_b", 7],
      ["20250101_000000/stream_7_20250101_000000_20260102_030405_2", "20250101_000000", 7],
      ["küche/stream_7_küche_20260102_030405", "küche", 7],
    ];
    for (const [each, device, streamId] of names) {
      fs.mkdirSync(join(folder.path, each, ".."), { recursive: true });
      write(whole, Buffer.concat([header(undefined), pcm]), each);
      expect(repair(each)).toMatchObject({ device, streamId, startedAt: Date.UTC(2026, 0, 2, 3, 4, 5) });
    }
    expect([...listSegments(folder.path)].sort()).toEqual(names.map(([each]) => each).sort());
  });
});

test("files without the name of a recording are ignored", () => {
  for (const path of [
    "notes.txt",
    "mic/other.wav",
    "mic/stream_7_mic_20260102.bin",
    "stream_x_20260102_030405.bin",
  ]) {
    fs.writeFileSync(join(folder.path, path), "x");
  }
  fs.mkdirSync(join(folder.path, "mic/deeper"));
  fs.writeFileSync(join(folder.path, "mic/deeper/stream_7_20260102_030405.bin"), "x");
  expect([...listSegments(folder.path)]).toEqual([]);
  expect([...listSegments(join(folder.path, "missing"))]).toEqual([]);
});
