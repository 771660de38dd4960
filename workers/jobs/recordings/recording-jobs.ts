/** The live recordings of one writer thread, by slot. */
import { errorNumber, toWavecacheError, WavecacheError } from "../../../src/base/errors.ts";
import { readSliceBytes } from "../../../src/base/limits/lanes.ts";
import { recordingTickMs } from "../../../src/base/limits/recordings.ts";
import { MiB } from "../../../src/base/limits/units.ts";
import type { WrittenAudio } from "../../../src/base/recording-entry.ts";
import type { OrderDecision } from "../../../src/codec/nibble-order.ts";
import type { BlockingEnd } from "../../../src/lane/blocking-end.ts";
import {
  decodeJson,
  encodeJson,
  listenCodes,
  type PastAudio,
  RECORD_AUDIO,
  RECORD_CLOSE,
  RECORD_CLOSED,
  RECORD_FAILED,
  RECORD_FRAMES,
  RECORD_LISTEN,
  RECORD_LISTENING,
  RECORD_LOOK,
  RECORD_OPEN,
  RECORD_ORDER,
  RECORD_SEGMENT,
  RECORD_SKIPPED,
  RECORD_SOUND,
  RECORD_SPLIT,
  RECORD_STARTED,
  RECORD_WRITTEN,
  type RecordingSpec,
  type WriterSpec,
} from "../../../src/lane/messages/recordings.ts";
import { FULL } from "../../../src/lane/ring.ts";
import { type Body, encodeFailure, encodeNumber, numberBytes } from "../../../src/lane/messages/streams.ts";
import type { LevelTable } from "../../../src/lane/level-table.ts";
import type { ThreadStats } from "../../../src/lane/thread-stats.ts";
import type { Segment } from "../../../src/store/recordings/segment.ts";
import type { Jobs } from "../../lane-loop.ts";
import { describeSegment, describeStarted } from "./describe-segment.ts";
import { Recorder } from "./recorder.ts";

interface Recording {
  spec: RecordingSpec;
  recorder: Recorder;
  /** Failed, or asked to end: frames are discarded. */
  isEnded: boolean;
  /** The slot is freed once all of its segments are hashed. */
  isClosing: boolean;
  hashingSegments: number;
  /** Live audio that did not fit into the lane and is not yet reported. */
  skippedBytes: number;
}

interface Hashing {
  slot: number;
  recording: Recording;
  segment: Segment;
  decision: OrderDecision | undefined;
}

/** Longer live audio crosses the lane in pieces. */
const maxAudioBytes = readSliceBytes / 8;
const hashBlockBytes = MiB / 4;
const emptyBody = new Uint8Array(0);

export class RecordingJobs implements Jobs {
  readonly #lane: BlockingEnd;
  readonly #stats: ThreadStats;
  readonly #levels: LevelTable;
  readonly #recordings = new Map<number, Recording>();
  /** Finished segments that wait to be hashed; the first is being hashed. */
  readonly #hashing: Hashing[] = [];
  readonly #block = new Uint8Array(hashBlockBytes);
  #nextTickMs = 0;

  constructor(lane: BlockingEnd, stats: ThreadStats, levels: LevelTable) {
    this.#lane = lane;
    this.#stats = stats;
    this.#levels = levels;
  }

  run(kind: number, slot: number, body: Body): void {
    switch (kind) {
      case RECORD_FRAMES:
        return this.#record(slot, body);
      case RECORD_OPEN:
        return this.#open(slot, decodeJson(body));
      case RECORD_LISTEN:
        return this.#listen(slot, body.bytes[body.offset]!);
      case RECORD_SPLIT:
        return this.#split(slot);
      case RECORD_LOOK:
        return this.#look(slot);
      case RECORD_CLOSE:
        return this.#close(slot);
      default:
        throw new RangeError(`a recorder has no task of kind ${kind}`);
    }
  }

  background(): boolean {
    this.#tickIfDue();
    this.#hashNext();
    return this.#hashing.length > 0;
  }

  maxSleepMs(): number | undefined {
    return this.#recordings.size === 0 ? undefined : recordingTickMs;
  }

  close(): void {
    for (const { recorder } of this.#recordings.values()) recorder.abandon();
    for (const { segment } of this.#hashing) segment.close();
  }

  #listen(slot: number, code: number): void {
    const recording = this.#recordings.get(slot);
    if (recording === undefined) return;
    if (code === listenCodes.afterFiles) return this.#listenAfterFiles(slot, recording);
    const isOn = code === listenCodes.recent;
    if (isOn) this.#send(RECORD_LISTENING, slot, encodeJson([]));
    recording.recorder.listen(isOn);
  }

  #listenAfterFiles(slot: number, recording: Recording): void {
    let past: PastAudio[] = [];
    try {
      past = recording.recorder.listenAfterFiles();
    } catch (error) {
      this.#fail(slot, recording, error);
    }
    this.#send(RECORD_LISTENING, slot, encodeJson(past));
  }

  #look(slot: number): void {
    const recording = this.#recordings.get(slot);
    if (recording === undefined) return;
    const segments = this.#hashing
      .filter((each) => each.slot === slot)
      .map(({ segment: { name, placement, counts } }) => ({ name, placement, samples: counts.samples }));
    let open: WrittenAudio = { segments: [], knownUntilUs: null };
    try {
      if (!recording.isEnded) open = recording.recorder.look();
    } catch (error) {
      this.#fail(slot, recording, error);
    }
    const written = { ...open, segments: [...segments, ...open.segments] };
    this.#send(RECORD_WRITTEN, slot, encodeJson(written));
  }

  #open(slot: number, spec: WriterSpec): void {
    const recorder = new Recorder(spec, {
      started: (segment) => this.#send(RECORD_STARTED, slot, encodeJson(describeStarted(spec, segment))),
      finished: (segment, decision) => this.#hashLater(slot, segment, decision),
      ordered: (decision) => this.#send(RECORD_ORDER, slot, encodeJson(decision)),
      audio: (bytes, at, length, timeMs) => this.#sendAudio(slot, bytes.subarray(at, at + length), timeMs),
      level: (level) => this.#levels.write(spec.levelCell, level),
      changed: (change) => this.#send(RECORD_SOUND, slot, encodeJson(change)),
      recorded: (frames, lostFrames) => this.#stats.recorded(frames, lostFrames),
    });
    this.#recordings.set(slot, {
      spec,
      recorder,
      isEnded: false,
      isClosing: false,
      hashingSegments: 0,
      skippedBytes: 0,
    });
  }

  #record(slot: number, frames: Body): void {
    const recording = this.#recordings.get(slot);
    if (recording === undefined || recording.isEnded) return;
    try {
      recording.recorder.record(frames, performance.now());
    } catch (error) {
      this.#fail(slot, recording, error);
    }
  }

  #split(slot: number): void {
    const recording = this.#recordings.get(slot);
    if (recording === undefined || recording.isEnded) return;
    try {
      recording.recorder.end();
    } catch (error) {
      this.#fail(slot, recording, error);
    }
  }

  #close(slot: number): void {
    const recording = this.#recordings.get(slot);
    if (recording === undefined) return;
    try {
      if (!recording.isEnded) recording.recorder.end();
      recording.isEnded = true;
    } catch (error) {
      this.#fail(slot, recording, error);
    }
    recording.isClosing = true;
    this.#freeIfDone(slot, recording);
  }

  /** RECORD_CLOSED follows the last RECORD_SEGMENT: who waits for it knows all segments. */
  #freeIfDone(slot: number, recording: Recording): void {
    if (!recording.isClosing || recording.hashingSegments > 0) return;
    this.#recordings.delete(slot);
    const at = recording.recorder.heardUntil;
    if (at !== undefined) this.#send(RECORD_SOUND, slot, encodeJson({ kind: "end", at }));
    this.#send(RECORD_CLOSED, slot, emptyBody);
  }

  #tickIfDue(): void {
    const now = performance.now();
    if (now < this.#nextTickMs) return;
    this.#nextTickMs = now + recordingTickMs;
    for (const [slot, recording] of this.#recordings) {
      if (recording.isEnded) continue;
      try {
        recording.recorder.tick(now);
      } catch (error) {
        this.#fail(slot, recording, error);
      }
    }
  }

  #hashLater(slot: number, segment: Segment, decision: OrderDecision | undefined): void {
    const recording = this.#recordings.get(slot)!;
    recording.hashingSegments += 1;
    this.#hashing.push({ slot, recording, segment, decision });
  }

  #hashNext(): void {
    const next = this.#hashing[0];
    if (next === undefined) return;
    const { slot, recording, segment, decision } = next;
    try {
      if (!segment.hashNext(this.#block)) return;
      this.#send(RECORD_SEGMENT, slot, encodeJson(describeSegment(recording.spec, segment, decision)));
    } catch (error) {
      this.#sendFailure(slot, toWavecacheError(error));
    }
    this.#hashing.shift();
    segment.close();
    recording.hashingSegments -= 1;
    this.#freeIfDone(slot, recording);
  }

  /** The recording ends; its segment keeps what was written before. */
  #fail(slot: number, recording: Recording, cause: unknown): void {
    recording.isEnded = true;
    const failure = toWavecacheError(cause);
    try {
      recording.recorder.fail();
      this.#sendFailure(slot, failure);
    } catch (error) {
      const both = `${failure.detail ?? ""}; ending the files: ${toWavecacheError(error).message}`;
      this.#sendFailure(slot, new WavecacheError(failure.code, both));
    }
  }

  #sendFailure(slot: number, { code, detail }: WavecacheError): void {
    this.#send(RECORD_FAILED, slot, encodeFailure({ number: errorNumber(code), detail: detail ?? "" }));
  }

  /** Never blocks: audio that does not fit is skipped, because a listener must not slow down the recording. */
  #sendAudio(slot: number, pcm: Uint8Array, timeMs: number): void {
    const recording = this.#recordings.get(slot)!;
    const { channels, sampleRate } = recording.spec.handshake;
    const frameBytes = 2 * channels;
    const maxPieceBytes = maxAudioBytes - (maxAudioBytes % frameBytes);
    for (let from = 0; from < pcm.length; from += maxPieceBytes) {
      const piece = pcm.subarray(from, from + maxPieceBytes);
      const pieceTimeMs = timeMs + (1000 * from) / frameBytes / sampleRate;
      if (!this.#sendPiece(slot, recording, piece, pieceTimeMs)) recording.skippedBytes += piece.length;
    }
  }

  #sendPiece(slot: number, recording: Recording, pcm: Uint8Array, timeMs: number): boolean {
    if (!this.#reportSkipped(slot, recording)) return false;
    const { results } = this.#lane;
    const to = results.reserve(RECORD_AUDIO, slot, numberBytes + pcm.length);
    if (to === FULL) return false;
    results.bytes.set(encodeNumber(timeMs), to);
    results.bytes.set(pcm, to + numberBytes);
    return true;
  }

  /** Returns true if there is nothing left to report. */
  #reportSkipped(slot: number, recording: Recording): boolean {
    if (recording.skippedBytes === 0) return true;
    const body = encodeNumber(recording.skippedBytes);
    const at = this.#lane.results.reserve(RECORD_SKIPPED, slot, body.length);
    if (at === FULL) return false;
    this.#lane.results.bytes.set(body, at);
    recording.skippedBytes = 0;
    return true;
  }

  #send(kind: number, slot: number, body: Uint8Array): void {
    const at = this.#lane.reserveResult(kind, slot, body.length);
    this.#lane.results.bytes.set(body, at);
  }
}
