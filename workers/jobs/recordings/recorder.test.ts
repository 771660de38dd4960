import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { readFileSync, statSync } from "node:fs";
import {
  liveHistoryMs,
  nibbleHoldMs,
  recordingFlushMs,
  recordingTickMs,
} from "../../../src/base/limits/recordings.ts";
import type { RecordingEntry } from "../../../src/base/recording-entry.ts";
import {
  AdpcmDecoder,
  AdpcmEncoder,
  adpcmFrameBytes,
  type NibbleOrder,
} from "../../../src/codec/ima-adpcm.ts";
import { decodeDat } from "../../../src/codec/peaks/dat.ts";
import type { SoundChange } from "../../../src/codec/peaks/sound-detector.ts";
import type { OrderDecision } from "../../../src/codec/nibble-order.ts";
import type { PastAudio, RecordingSpec } from "../../../src/lane/messages/recordings.ts";
import type { Body } from "../../../src/lane/messages/streams.ts";
import type { Segment } from "../../../src/store/recordings/segment.ts";
import { countingPayload, frameMessage } from "../../../src/testing/harness/peers/ingest-device.ts";
import {
  readSegment,
  type RecordedSegment,
  recordedSegments,
} from "../../../src/testing/harness/recorded-files.ts";
import { temporaryFolder } from "../../../src/testing/fixtures/temporary-folder.ts";
import { describeSegment } from "./describe-segment.ts";
import { Recorder } from "./recorder.ts";
import { WavDigest } from "../../../src/store/recordings/wav-digest.ts";

const golden = new URL("../../../data/golden/", import.meta.url);
const speech = new Int16Array(await Bun.file(new URL("input-mono.s16le", golden)).arrayBuffer());
const frameSamples = 320;

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

function specOf(changes: Partial<RecordingSpec> = {}, channels = 1): RecordingSpec {
  const handshake = { streamId: 7, sampleRate: 16_000, channels, codec: 1, frameSamples, timestampMs: 0 };
  return {
    handshake,
    hwid: null,
    folder: folder.path,
    rotateMs: 1000,
    nibbles: null,
    fillGaps: false,
    threshold: { dbfs: -50, silenceMs: 500 },
    connection: "c",
    run: "r",
    clockAheadMs: 0,
    ...changes,
  };
}

function pcmSpec(changes: Partial<RecordingSpec> = {}, channels = 1): RecordingSpec {
  const spec = specOf(changes, channels);
  return { ...spec, handshake: { ...spec.handshake, codec: 0 } };
}

/** A recorder with all of its events. Its segments are hashed at once. */
class Stage {
  readonly recorder: Recorder;
  readonly entries: RecordingEntry[] = [];
  readonly decisions: OrderDecision[] = [];
  readonly heard: number[] = [];
  /** Samples heard before a piece of live audio, and its time. */
  readonly times: [number, number][] = [];
  readonly peaks: number[] = [];
  /** Of each segment that was started. */
  readonly lostBefore: number[] = [];
  readonly changes: SoundChange[] = [];
  readonly taken = { frames: 0, lostFrames: 0 };
  constructor(spec: RecordingSpec) {
    this.recorder = new Recorder(spec, {
      started: ({ lostBefore }) => void this.lostBefore.push(lostBefore),
      finished: (segment, decision) => void this.entries.push(hashed(spec, segment, decision)),
      ordered: (decision) => void this.decisions.push(decision),
      audio: (bytes, at, length, timeMs) => {
        this.times.push([this.heard.length, timeMs]);
        this.heard.push(...new Int16Array(bytes.slice(at, at + length).buffer));
      },
      level: ({ peak }) => void this.peaks.push(peak),
      changed: (change) => void this.changes.push(change),
      recorded: (frames, lostFrames) => {
        this.taken.frames += frames;
        this.taken.lostFrames += lostFrames;
      },
    });
  }

  take(now: number, ...messages: Uint8Array[]): void {
    const bytes = new Uint8Array(Buffer.concat(messages));
    const body: Body = { bytes, offset: 0, length: bytes.length };
    this.recorder.record(body, now);
  }
}

function hashed(spec: RecordingSpec, segment: Segment, decision: OrderDecision | undefined): RecordingEntry {
  const block = new Uint8Array(1000);
  while (!segment.hashNext(block));
  segment.close();
  return describeSegment(spec, segment, decision);
}

function encoded(pcm: Int16Array, order: NibbleOrder, channels = 1): Uint8Array[] {
  const encoder = new AdpcmEncoder(channels, order);
  return Array.from({ length: Math.floor(pcm.length / channels / frameSamples) }, (_, frame) => {
    const out = new Uint8Array(adpcmFrameBytes(frameSamples, channels));
    encoder.encode(pcm, frame * frameSamples * channels, frameSamples, out, 0);
    return out;
  });
}

function decoded(payloads: Iterable<Uint8Array>, order: NibbleOrder, channels = 1): Int16Array {
  const decoder = new AdpcmDecoder(channels, frameSamples, order);
  const all: number[] = [];
  for (const payload of payloads) {
    const out = new Int16Array(8 * payload.length);
    const samples = decoder.decode(payload, 0, payload.length, out, 0);
    if (samples > 0) all.push(...out.subarray(0, samples * channels));
  }
  return Int16Array.from(all);
}

const messages = (payloads: Uint8Array[], firstSeq = 0) =>
  payloads.map((payload, index) => frameMessage(1, firstSeq + index, payload));
const payloadsOf = (segment: RecordedSegment) => segment.frames.map((frame) => new Uint8Array(frame.payload));
const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
const sizeOf = (file: string) => statSync(`${folder.path}/${file}`).size;
const recordedNames = () =>
  Array.from(new Bun.Glob("**/*.bin").scanSync(folder.path), (path) => path.slice(0, -4));

function expectTrue(entry: RecordingEntry): RecordedSegment {
  const segment = expectTrueFiles(entry);
  expectTruePeaks(entry, segment);
  return segment;
}

function expectTrueFiles(entry: RecordingEntry): RecordedSegment {
  const segment = readSegment(folder.path, entry.name);
  expect(entry.bin).toEqual({ bytes: segment.bin.length, sha256: sha256(segment.bin) });
  const digest = new WavDigest();
  digest.add(segment.wav);
  expect(entry.wav).toEqual(digest.finish());
  expect(entry.frames).toBe(segment.frames.length);
  expect(entry.samples).toBe(segment.samples.length / segment.channels);
  return segment;
}

/** The peaks equal those of an offline pass over the samples. */
function expectTruePeaks(
  { name, peaks }: RecordingEntry,
  { samples, channels, sampleRate }: RecordedSegment,
): void {
  const file = decodeDat(readFileSync(`${folder.path}/${name}.dat`));
  const pixels = Math.ceil(samples.length / channels / 256);
  const data = Array.from({ length: pixels * channels }, (_, at) => {
    const from = Math.floor(at / channels) * 256 * channels;
    const own = samples
      .slice(from, from + 256 * channels)
      .filter((_, each) => each % channels === at % channels);
    return [Math.min(...own), Math.max(...own)];
  }).flat();
  expect(file).toEqual({ sampleRate, samplesPerPixel: 256, channels, data: Int16Array.from(data) });
  const peak = samples.reduce((largest, sample) => Math.max(largest, Math.abs(sample)), 0);
  expect(peaks).toMatchObject({ peak, samplesPerPixel: 16_384 });
  const overview = new Int16Array(new Uint8Array(Buffer.from(peaks!.overview, "base64")).buffer);
  expect(overview.length).toBe(Math.ceil(pixels / 64) * 2 * channels);
}

const quietFrame = (seq: number) => frameMessage(0, seq, constantFrame(0));
const constantFrame = (value: number) => new Uint8Array(new Int16Array(320).fill(value).buffer);

describe("a recorder", () => {
  for (const order of ["low", "high"] as const) {
    test(`detects the nibble order and decodes every frame with it, ${order} nibble first`, () => {
      const stage = new Stage(specOf());
      const payloads = encoded(speech, order);
      for (const message of messages(payloads)) stage.take(0, message);
      stage.recorder.end();
      expect(stage.entries.length).toBe(1);
      const segment = expectTrue(stage.entries[0]!);
      expect(segment.samples).toEqual(decoded(payloads, order));
      expect(stage.entries[0]).toMatchObject({ nibbleOrder: order, nibbleOrderBy: "matched", gaps: 0 });
      expect(stage.decisions).toEqual([{ order, by: "matched" }]);
    });

    test(`decodes with the configured nibble order, ${order} nibble first`, () => {
      const stage = new Stage(specOf({ nibbles: order }));
      const payloads = encoded(speech, "low");
      stage.take(0, ...messages(payloads));
      stage.recorder.end();
      expect(expectTrue(stage.entries[0]!).samples).toEqual(decoded(payloads, order));
      expect(stage.entries[0]).toMatchObject({ nibbleOrder: order, nibbleOrderBy: "forced" });
      expect(stage.decisions).toEqual([]);
    });
  }

  test("puts each frame and its samples into the same segment, for any timing and nibble order", () => {
    const step = fc.record({
      pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 700 })),
      joined: fc.integer({ min: 1, max: 4 }),
      skipSeqs: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 0, max: 3 })),
      ticks: fc.boolean(),
    });
    const sound = fc.constantFrom(
      speech,
      speech.map((sample) => sample >> 12),
      new Int16Array(speech.length),
    );
    const property = fc.property(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.constantFrom(1, 2),
      sound,
      fc.constantFrom<NibbleOrder | null>("low", "high", null),
      (steps, channels, pcm, nibbles) => {
        const stage = new Stage(specOf({ nibbles }, channels));
        // Quiet sounds may fall back to low first, so low first is what an undetected order is encoded with.
        const order = nibbles ?? "low";
        const payloads = encoded(pcm, order, channels);
        const sent: Uint8Array[] = [];
        let now = 0;
        let seq = 0;
        for (const { pauseMs, joined, skipSeqs, ticks } of steps) {
          now += pauseMs;
          if (ticks) stage.recorder.tick(now);
          seq += skipSeqs;
          const batch = payloads.slice(0, joined).map((_, index) => {
            const payload = payloads[(sent.length + index) % payloads.length]!;
            return frameMessage(1, seq++, payload);
          });
          sent.push(...batch);
          stage.take(now, ...batch);
        }
        stage.recorder.end();
        const segments = stage.entries.map(expectTrue);
        expect(Buffer.concat(segments.map((each) => each.bin))).toEqual(Buffer.concat(sent));
        for (const each of segments) expect(each.samples).toEqual(decoded(payloadsOf(each), order, channels));
        expect(segments.length).toBeGreaterThan(0);
      },
    );
    fc.assert(property, { numRuns: 150 });
  });

  test("opens a new segment for the first frame that arrives `rotateMs` after the last opening", () => {
    const stage = new Stage(pcmSpec());
    const payload = new Uint8Array(640);
    stage.take(5000, frameMessage(0, 0, payload));
    stage.take(5999, frameMessage(0, 1, payload));
    stage.take(6000, frameMessage(0, 2, payload), frameMessage(0, 3, payload));
    stage.take(7500, frameMessage(0, 4, payload));
    stage.recorder.end();
    expect(stage.entries.map((entry) => entry.frames)).toEqual([2, 2, 1]);
    expect(stage.entries.map((entry) => entry.endedAt - entry.startedAt)).toEqual([999, 0, 0]);
    expect(new Set(stage.entries.map((entry) => entry.name)).size).toBe(3);
    expect(stage.entries[1]!.name).toEndWith("_2");
    expect(stage.entries[2]!.name).toEndWith("_3");
  });

  for (const codec of ["pcm", "adpcm"]) {
    test(`finishes a segment of ${codec} by the clock, and opens the next one only for a frame`, () => {
      const spec = codec === "pcm" ? pcmSpec({ fillGaps: true }) : specOf({ fillGaps: true });
      const stage = new Stage(spec);
      const payload = codec === "pcm" ? new Uint8Array(640) : encoded(speech, "low")[9]!;
      const frame = (seq: number) => frameMessage(spec.handshake.codec, seq, payload);
      stage.take(5000, frame(0), frame(1));
      stage.recorder.tick(5999);
      expect(stage.entries).toEqual([]);
      for (const now of [6000, 7000, 9000]) stage.recorder.tick(now);
      expect(stage.entries.map(({ frames, samples }) => [frames, samples])).toEqual([[2, 2 * 320]]);
      expectTrue(stage.entries[0]!);
      expect(recordedNames()).toEqual([stage.entries[0]!.name]);
      stage.take(9100, frame(4));
      stage.recorder.tick(10_099);
      expect(stage.entries.length).toBe(1);
      stage.recorder.tick(10_100);
      const { frames, samples, gaps, lostFrames } = stage.entries[1]!;
      expect({ frames, samples, gaps, lostFrames }).toEqual({
        frames: 1,
        samples: 3 * 320,
        gaps: 1,
        lostFrames: 2,
      });
      stage.recorder.end();
      expect(stage.entries.length).toBe(2);
      expect(recordedNames().length).toBe(2);
    });

    test(`writes ${codec} to the files within a second, even while its nibble order is unknown`, () => {
      const order = codec === "pcm" ? pcmSpec() : specOf();
      const stage = new Stage(order);
      const payload = codec === "pcm" ? new Uint8Array(640) : encoded(speech, "low")[9]!;
      stage.take(0, frameMessage(order.handshake.codec, 0, payload));
      const [name] = recordedNames();
      stage.recorder.tick(recordingFlushMs - 1);
      expect(sizeOf(`${name}.bin`)).toBe(0);
      stage.recorder.tick(recordingFlushMs + recordingTickMs);
      expect(sizeOf(`${name}.bin`)).toBe(12 + payload.length);
      expect(sizeOf(`${name}.wav`)).toBe(44 + 640);
      stage.recorder.end();
      expectTrue(stage.entries[0]!);
    });
  }

  test("reports how many frames were lost before a segment, unless the one before it has them", () => {
    const stage = new Stage(pcmSpec());
    stage.take(0, quietFrame(7));
    stage.recorder.tick(1000);
    stage.take(1100, quietFrame(8));
    stage.recorder.tick(2100);
    stage.take(2200, quietFrame(12));
    stage.take(3300, quietFrame(20));
    stage.recorder.end();
    expect(stage.lostBefore).toEqual([0, 0, 3, 0]);
    expect(stage.entries.map(({ lostFrames }) => lostFrames)).toEqual([0, 0, 10, 0]);
    expect(stage.entries[2]!.placement.losses.map(({ at }) => at)).toEqual([0, 320]);
  });

  test("decodes held frames whose bytes have been flushed meanwhile", () => {
    const stage = new Stage(specOf());
    const payloads = encoded(Int16Array.of(...new Int16Array(640), ...speech.subarray(3200, 4160)), "high");
    const all = messages(payloads);
    stage.take(0, all[0]!, all[1]!);
    stage.take(300, all[2]!);
    stage.recorder.tick(recordingFlushMs);
    expect(sizeOf(`${recordedNames()[0]}.bin`)).toBe(3 * 176);
    stage.take(520, all[3]!, all[4]!);
    stage.recorder.end();
    expect(expectTrue(stage.entries[0]!).samples).toEqual(decoded(payloads, "high"));
    expect(stage.entries[0]).toMatchObject({ nibbleOrderBy: "matched" });
  });

  test("passes on the level of each 100 ms, and tells sound from silence across segments", () => {
    const stage = new Stage(pcmSpec({ threshold: { dbfs: -40, silenceMs: 500 } }));
    for (let seq = 0; seq < 200; seq++) {
      const value = seq >= 60 && seq < 130 ? 1000 : 10;
      stage.take(20 * seq, frameMessage(0, seq, constantFrame(value)));
    }
    stage.recorder.end();
    expect(stage.peaks).toEqual([...Array(12).fill(10), ...Array(14).fill(1000), ...Array(14).fill(10)]);
    const [first] = stage.entries;
    const start = first!.placement.sessionStartUs / 1000;
    expect(stage.entries.length).toBe(4);
    expect(stage.changes.map(({ kind, at }) => [kind, Math.round(at - start)])).toEqual([
      ["silence", 0],
      ["sound", 1200],
      ["silence", 2600],
    ]);
    expect(stage.recorder.heardUntil).toBe(start + 4000);
  });

  test("ticks often enough to write within a second", () => {
    expect(nibbleHoldMs + recordingTickMs).toBeLessThanOrEqual(recordingFlushMs);
    expect(recordingFlushMs + recordingTickMs).toBeLessThan(1000);
  });

  test("flushes a fast stream early", () => {
    const stage = new Stage(pcmSpec());
    for (let seq = 0; seq < 1000; seq++) stage.take(0, frameMessage(0, seq, new Uint8Array(640)));
    expect(sizeOf(`${recordedNames()[0]}.bin`)).toBeGreaterThan(1000 * 652 - 64 * 1024);
    stage.recorder.end();
    expect(expectTrue(stage.entries[0]!).frames.length).toBe(1000);
  });

  test("writes a frame with a step index over 88 to .bin, and not to .wav", () => {
    const stage = new Stage(specOf());
    const payloads = encoded(speech, "high");
    const bad = payloads[6]!.slice();
    bad[2] = 89;
    const all = [...payloads.slice(0, 6), bad, ...payloads.slice(7)];
    stage.take(0, ...messages(all));
    stage.recorder.end();
    const segment = expectTrue(stage.entries[0]!);
    expect(segment.frames.length).toBe(all.length);
    expect(segment.samples).toEqual(decoded(all, "high"));
    expect(segment.samples.length).toBe((all.length - 1) * frameSamples);
  });
});

describe("gaps of sequence numbers", () => {
  const payload = new Uint8Array(640).fill(1);
  const at = (seq: number) => frameMessage(0, seq, payload);

  test("are counted with their missing frames, across the wrap; backwards jumps count as gaps alone", () => {
    const stage = new Stage(pcmSpec());
    stage.take(0, at(0xfffffffe), at(0xffffffff), at(0), at(3), at(4), at(4), at(5));
    stage.recorder.end();
    expect(stage.entries[0]).toMatchObject({ frames: 7, gaps: 2, lostFrames: 2, samples: 7 * 320 });
    expect(stage.taken).toEqual({ frames: 7, lostFrames: 2 });
  });

  test("are filled with silence if `fillGaps` is set, which keeps the time right", () => {
    const stage = new Stage(pcmSpec({ fillGaps: true }));
    stage.take(0, at(10), at(12), at(15));
    stage.recorder.end();
    const { samples } = expectTrue(stage.entries[0]!);
    expect(stage.entries[0]).toMatchObject({ frames: 3, gaps: 2, lostFrames: 3, samples: 6 * 320 });
    const isSilent = [0, 1, 2, 3, 4, 5].map(
      (frame) => samples[frame * 320] === 0 && samples[frame * 320 + 319] === 0,
    );
    expect(isSilent).toEqual([false, true, false, true, true, false]);
  });

  test("are filled in the segment before a rotation, for ADPCM too", () => {
    const stage = new Stage(specOf({ fillGaps: true }));
    const payloads = encoded(speech, "low");
    stage.take(0, frameMessage(1, 0, payloads[5]!));
    stage.take(1000, frameMessage(1, 3, payloads[8]!), frameMessage(1, 4, payloads[9]!));
    stage.recorder.end();
    expect(
      stage.entries.map(({ frames, samples, gaps, lostFrames }) => [frames, samples, gaps, lostFrames]),
    ).toEqual([
      [1, 3 * 320, 1, 2],
      [2, 2 * 320, 0, 0],
    ]);
  });

  test("are filled up to a limit", () => {
    const stage = new Stage(pcmSpec({ fillGaps: true }));
    stage.take(0, at(0), at(2 ** 30), at(1));
    stage.recorder.end();
    expect(stage.entries[0]).toMatchObject({ frames: 3, gaps: 2, lostFrames: 2 ** 30 - 1 });
    expect(stage.entries[0]!.samples).toBe(10 * 16_000 + 3 * 320);
  });
});

const counting = (seq: number) => frameMessage(0, seq, countingPayload(seq * 320, 320));

function samplesOf({ name, samples }: PastAudio): number[] {
  const wav = readFileSync(`${folder.path}/${name}.wav`);
  return [...new Int16Array(new Uint8Array(wav.subarray(44)).buffer, 0, samples)];
}

describe("a listener", () => {
  test("receives the most recent audio first, then all audio until it leaves, across flushes and rotations", () => {
    const stage = new Stage(pcmSpec());
    for (let seq = 0; seq < 40; seq++) stage.take(seq * 20, counting(seq));
    stage.recorder.tick(800);
    expect(stage.heard).toEqual([]);
    stage.recorder.listen(true);
    for (let seq = 40; seq < 80; seq++) {
      stage.take(seq * 20, counting(seq));
      stage.recorder.tick(seq * 20);
    }
    stage.recorder.listen(false);
    stage.take(1600, counting(80));
    stage.recorder.end();
    const first = 40 * 320 - (16_000 * liveHistoryMs) / 1000;
    expect(stage.heard).toEqual(
      Array.from({ length: 80 * 320 - first }, (_, at) => ((first + at) << 16) >> 16),
    );
    expect(stage.entries.length).toBe(2);
    const startMs = stage.entries[0]!.placement.sessionStartUs / 1000;
    for (const [heard, timeMs] of stage.times) expect(timeMs).toBeCloseTo(startMs + (first + heard) / 16, 6);
  });

  test("hears the time of audio after a pause", () => {
    const stage = new Stage(pcmSpec());
    stage.recorder.listen(true);
    stage.take(0, counting(0));
    stage.take(5000, counting(1));
    const [first, second] = stage.times.map(([, timeMs]) => timeMs);
    expect(second! - first!).toBeCloseTo(5000, 3);
    stage.recorder.end();
    expect(second).toBeCloseTo(stage.entries[1]!.placement.sessionStartUs / 1000, 3);
  });

  test("of the files too gets what they have, and then what follows, without a gap", () => {
    const stage = new Stage(pcmSpec());
    for (let seq = 0; seq < 75; seq++) stage.take(seq * 20, counting(seq));
    const past = stage.recorder.listenAfterFiles();
    expect(past.map(({ samples }) => samples)).toEqual([50 * 320, 25 * 320]);
    stage.take(1500, counting(75));
    const all = [...past.flatMap(samplesOf), ...stage.heard];
    expect(all).toEqual(Array.from({ length: 76 * 320 }, (_, at) => (at << 16) >> 16));
    // The files before a pause are not those before the audio of now.
    stage.take(5000, counting(76));
    expect(stage.recorder.listenAfterFiles().map(({ samples }) => samples)).toEqual([320]);
    stage.recorder.end();
    expect(stage.recorder.listenAfterFiles().map(({ samples }) => samples)).toEqual([320]);
  });
});

describe("files that fail", () => {
  test("end the segment with what was flushed before", () => {
    const stage = new Stage(pcmSpec());
    stage.take(0, frameMessage(0, 0, new Uint8Array(640)));
    stage.recorder.tick(recordingFlushMs);
    stage.take(600, frameMessage(0, 1, new Uint8Array(640)));
    stage.recorder.fail();
    expect(stage.entries[0]).toMatchObject({ frames: 1, samples: 320 });
    expectTrueFiles(stage.entries[0]!);
    // The samples that were measured are not those that were written.
    expect(stage.entries[0]!.peaks).toBeUndefined();
    expect(recordedSegments(folder.path).length).toBe(1);
  });

  test("leave no segment if nothing was flushed before", () => {
    const stage = new Stage(pcmSpec());
    stage.take(0, frameMessage(0, 0, new Uint8Array(640)));
    stage.recorder.fail();
    expect(stage.entries).toEqual([]);
    expect(recordedNames()).toEqual([]);
  });
});
