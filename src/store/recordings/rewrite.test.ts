import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { placementOf } from "../../testing/fixtures/placement.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { countingPayload, frameMessage } from "../../testing/harness/peers/ingest-device.ts";
import { sha256 } from "../../testing/harness/bytes.ts";
import { readSegment } from "../../testing/harness/recorded-files.ts";
import { rewriteSuspects } from "./rewrite.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

const frames = 20;
const name = "stream_7_20250131_090500";
const pathOf = (kind: "bin" | "wav") => join(folder.path, `${name}.${kind}`);

/** A recorded segment of PCM, in its files and as the recorder describes it. */
function recorded(): RecordingEntry {
  const payloads = Array.from({ length: frames }, (_, seq) => countingPayload(seq * 320, 320));
  const bin = Buffer.concat(payloads.map((payload, seq) => frameMessage(0, seq, payload)));
  const wav = Buffer.concat([encodeWavHeader(16_000, 1, frames * 640), ...payloads]);
  writeFileSync(pathOf("bin"), bin);
  writeFileSync(pathOf("wav"), wav);
  return {
    name,
    device: null,
    streamId: 7,
    codec: "pcm",
    sampleRate: 16_000,
    channels: 1,
    startedAt: 1000,
    endedAt: 2000,
    frames,
    samples: frames * 320,
    gaps: 0,
    lostFrames: 0,
    nibbleOrder: null,
    nibbleOrderBy: null,
    placement: placementOf("c.0"),
    bin: { bytes: bin.length, sha256: sha256(bin) },
    wav: { bytes: wav.length, sha256: sha256(wav) },
  };
}

/** What a disk has of a file whose last pages were dropped. */
function dropTail(path: string, bytes: number): void {
  const content = readFileSync(path);
  content.fill(0, content.length - bytes);
  writeFileSync(path, content);
}

describe("segments that a sync has failed for", () => {
  test("are written anew if they still read right, and only those", async () => {
    const entry = recorded();
    const before = statSync(pathOf("bin")).ino;
    const untouched = await rewriteSuspects(folder.path, [entry], new Set());
    expect(untouched).toEqual({ entries: [entry], losses: [] });
    expect(statSync(pathOf("bin")).ino).toBe(before);
    expect(await rewriteSuspects(folder.path, [entry], new Set([name]))).toEqual({
      entries: [entry],
      losses: [],
    });
    expect(statSync(pathOf("bin")).ino).not.toBe(before);
    expect(readSegment(folder.path, name).frames.length).toBe(frames);
    expect(readdirSync(folder.path).length).toBe(2);
  });

  test("keep the frames before the loss, and report how many bytes are missing", async () => {
    const entry = recorded();
    // The last frame, and half of the samples of the one before, whose header is still there.
    dropTail(pathOf("bin"), 1000);
    const { entries, losses } = await rewriteSuspects(folder.path, [entry], new Set([name]));
    expect(losses).toEqual([{ name, lostBytes: 652 }]);
    const file = readFileSync(pathOf("bin"));
    expect(entries).toMatchObject([
      { name, frames: frames - 1, bin: { bytes: file.length, sha256: sha256(file) } },
    ]);
    expect(readdirSync(folder.path).sort()).toEqual([
      `${name}.bin`,
      `${name}.dat`,
      `${name}.lvl`,
      `${name}.wav`,
    ]);
  });

  test("are reported and described as they are if only the samples were lost", async () => {
    const entry = recorded();
    dropTail(pathOf("wav"), 1000);
    const { entries, losses } = await rewriteSuspects(folder.path, [entry], new Set([name]));
    expect(losses).toEqual([{ name, lostBytes: 0 }]);
    expect(entries[0]!.wav.sha256).toBe(sha256(readFileSync(pathOf("wav"))));
    expect(entries[0]!.bin).toEqual(entry.bin);
  });
});
