/**
 * Records one live stream. Frames go to `.bin` as received and to `.wav` decoded:
 *
 *     frame --> bin buffer ------------------------------> .bin
 *                  |  held while their nibble order is unknown
 *                  '--> decode, silence for lost frames --> wav buffer --> .wav
 *                                                              |--------> live listeners
 *                                                              '--------> peaks and levels
 *
 * Both buffers are flushed together. A segment is finished when its time is over, by a tick or by the next frame,
 * whichever comes first; the next frame opens the next one. A frame and its samples are in the same segment: all held
 * frames are decoded before it is finished.
 */
import {
  maxFilledBytes,
  maxFilledMs,
  maxSegmentBytes,
  nibbleHoldMs,
  recordingFlushBytes,
  recordingFlushMs,
  recordingPauseMs,
} from "../../../src/base/limits/recordings.ts";
import { levelBlockMs } from "../../../src/base/limits/peaks.ts";
import type { WrittenAudio } from "../../../src/base/recording-entry.ts";
import { AdpcmDecoder, adpcmSamples, invalidFrame } from "../../../src/codec/ima-adpcm.ts";
import type { Level } from "../../../src/codec/peaks/level.ts";
import { type SoundChange, SoundDetector } from "../../../src/codec/peaks/sound-detector.ts";
import { NibbleOrderFinder, type OrderDecision, type OrderVerdict } from "../../../src/codec/nibble-order.ts";
import type { PastAudio, RecordingSpec } from "../../../src/lane/messages/recordings.ts";
import type { Body } from "../../../src/lane/messages/streams.ts";
import type { AppendBuffer } from "../../../src/store/recordings/append-buffer.ts";
import { SegmentPeaks } from "../../../src/store/recordings/peaks/segment-peaks.ts";
import { Segment } from "../../../src/store/recordings/segment.ts";
import {
  codecPcm16,
  frameBytesAt,
  frameHeaderBytes,
  frameSeq,
  lostBetween,
  nextSeq,
  recordingName,
} from "../../../src/wire/ingest.ts";
import { RecordingBuffers } from "./recording-buffers.ts";
import { SessionClock } from "./session-clock.ts";

export interface RecorderOwner {
  started(segment: Segment): void;
  /** The segment is complete and can be hashed. `decision`: how its nibbles were read; undefined for PCM. */
  finished(segment: Segment, decision: OrderDecision | undefined): void;
  /** The nibble order was detected, or has changed. */
  ordered(decision: OrderDecision): void;
  /**
   * PCM16 at `bytes[at]`, valid until this returns. Called only while listening. The time is of the first sample, in ms
   * since 1970.
   */
  audio(bytes: Uint8Array, at: number, length: number, timeMs: number): void;
  /** The level of the last 100 ms, valid until this returns. */
  level(level: Level): void;
  /** Sound or silence has begun, or the audio clips. */
  changed(change: SoundChange): void;
  /** `frames` were recorded; `lostFrames` are missing before or between them. */
  recorded(frames: number, lostFrames: number): void;
}

/** Above this, held frames are decoded with the likelier nibble order. A single frame may be longer. */
const maxHeldBytes = recordingFlushBytes;

export class Recorder {
  readonly #spec: RecordingSpec;
  readonly #owner: RecorderOwner;
  readonly #isPcm: boolean;
  readonly #sampleFrameBytes: number;
  readonly #finder: NibbleOrderFinder;
  readonly #decoder: AdpcmDecoder;
  readonly #clock: SessionClock;
  readonly #wallMs: () => number;
  readonly #buffers: RecordingBuffers;
  readonly #bin: AppendBuffer;
  readonly #wav: AppendBuffer;
  readonly #peaks: SegmentPeaks;
  /** Sample frames at the end of `#wav` that are not measured yet, and how many are measured at once. */
  #unmeasured = 0;
  readonly #measuredFrames: number;
  readonly #detector: SoundDetector;
  #segment: Segment | undefined;
  /** The segment before, if no pause has followed it. */
  #previous: PastAudio | undefined;
  #reported: OrderDecision | undefined;
  #listening = false;
  /** Sequence numbers of the last frame received and of the last frame decoded; -1 before the first. */
  #lastSeq = -1;
  #decodedSeq = -1;
  /** Of all segments. */
  #lostFrames = 0;
  /** Frames that are not decoded yet; they are in the bin buffer, from byte `#heldFrom` on. */
  #heldFrames = 0;
  #heldFrom = 0;
  /** In ms of the monotonic clock. */
  #heldSinceMs = 0;
  #openedAtMs = 0;
  /** When the last frame arrived, and when the frames now at work did. */
  #lastFrameMs = 0;
  #nowMs = 0;
  #unwrittenSinceMs = 0;

  /** `wallMs` is the time of recordings, in ms since 1970: the system's clock, where that is right. */
  constructor(
    spec: RecordingSpec,
    owner: RecorderOwner,
    wallMs: () => number = () => Date.now() - spec.clockAheadMs,
  ) {
    const { channels, codec, frameSamples, sampleRate } = spec.handshake;
    this.#spec = spec;
    this.#owner = owner;
    this.#wallMs = wallMs;
    this.#clock = new SessionClock({ ...spec, sampleRate, deviceTimeMs: spec.handshake.timestampMs });
    this.#isPcm = codec === codecPcm16;
    this.#sampleFrameBytes = 2 * channels;
    this.#buffers = new RecordingBuffers(spec.handshake, this.#isPcm ? 1 : 1 / 4);
    this.#bin = this.#buffers.bin;
    this.#wav = this.#buffers.wav;
    this.#measuredFrames = (sampleRate * levelBlockMs) / 1000;
    this.#peaks = new SegmentPeaks(spec.handshake, (...block) => this.#noteLevel(...block));
    this.#detector = new SoundDetector(spec.threshold, (change) => owner.changed(change));
    this.#finder = new NibbleOrderFinder(channels, frameSamples, spec.nibbles ?? undefined);
    this.#decoder = new AdpcmDecoder(channels, frameSamples, spec.nibbles ?? "low");
    this.#reported = this.#finder.decision;
  }

  /** Records whole frame messages. `nowMs` is of the monotonic clock. Throws the system's error if a file fails. */
  record(frames: Body, nowMs: number): void {
    const { bytes, offset, length } = frames;
    const lostBefore = this.#lostFrames;
    this.#nowMs = nowMs;
    let count = 0;
    for (let at = offset; at < offset + length;) {
      const frameBytes = frameBytesAt(bytes, at);
      if (frameBytes === 0) throw new RangeError("a task that is not made of whole frames");
      this.#recordFrame(bytes, at, frameBytes, nowMs);
      count += 1;
      at += frameBytes;
      if (this.#buffers.isFull) this.#flush();
    }
    this.#owner.recorded(count, this.#lostFrames - lostBefore);
  }

  /** Finishes a segment whose time is over; decodes what was held too long, and flushes what was unwritten too long. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#segment !== undefined && this.#isOver(nowMs)) return this.end();
    if (this.#heldFrames > 0 && nowMs - this.#heldSinceMs >= nibbleHoldMs) this.#decodeHeld(this.#settle());
    if (this.#buffers.unwrittenBytes > 0 && nowMs - this.#unwrittenSinceMs >= recordingFlushMs) this.#flush();
  }

  /** Starts or stops the `audio` events. They start with the most recent audio. */
  listen(isOn: boolean): void {
    this.#listening = isOn;
    const length = this.#buffers.recentBytes;
    if (!isOn || length === 0) return;
    const from = (this.#segment?.counts.samples ?? 0) - length / this.#sampleFrameBytes;
    this.#owner.audio(this.#wav.bytes, this.#wav.fill - length, length, this.#clock.timeMs(from));
  }

  /**
   * Starts the `audio` events with the next audio, and returns the files that have the audio before it, oldest first: two
   * at most. Throws the system's error if a file fails.
   */
  listenAfterFiles(): PastAudio[] {
    const segment = this.#segment;
    if (this.#buffers.unwrittenBytes > 0) this.#flush();
    this.#listening = true;
    const past = this.#previous === undefined ? [] : [this.#previous];
    if (segment !== undefined) past.push({ name: segment.name, samples: segment.counts.samples });
    return past;
  }

  /** Writes what is decoded. Returns the open segment, unless its session is not known. Throws the system's error. */
  look(): WrittenAudio {
    const segment = this.#segment;
    if (this.#buffers.unwrittenBytes > 0) this.#flush();
    const samples = segment?.counts.samples ?? 0;
    const placement = this.#clock.current;
    const isOpen = segment !== undefined && placement !== undefined && samples > 0;
    return {
      segments: isOpen ? [{ name: segment.name, placement, samples }] : [],
      knownUntilUs: this.#clock.knownUntilUs(samples),
    };
  }

  /** Finishes the segment, at the end of the stream, of the segment's time, or for a split; a later frame opens the next. */
  end(): void {
    if (this.#heldFrames > 0) this.#decodeHeld(this.#settle());
    this.#finishSegment();
  }

  /** A file failed: finishes the segment with what was written before. */
  fail(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    this.#unmeasured = 0;
    this.#peaks.discard();
    this.#segment = undefined;
    try {
      if (segment.rollBack()) this.#finish(segment);
    } catch (error) {
      segment.close();
      throw error;
    }
  }

  /** When the audio ends, in ms since 1970; undefined if there was none. */
  get heardUntil(): number | undefined {
    return this.#detector.end;
  }

  /** Closes the files as they are. The next start repairs them. */
  abandon(): void {
    this.#segment?.close();
    this.#segment = undefined;
  }

  #recordFrame(bytes: Uint8Array, at: number, frameBytes: number, nowMs: number): void {
    const seq = frameSeq(bytes, at);
    let verdict = this.#judge(seq, bytes, at, frameBytes);
    if (this.#segment === undefined) this.#openSegment(nowMs, this.#lostBefore(seq));
    this.#countGap(seq);
    if (this.#isDue(nowMs)) verdict = this.#rotate(seq, verdict, nowMs);
    if (this.#buffers.unwrittenBytes === 0) this.#unwrittenSinceMs = nowMs;
    const from = this.#bin.fill;
    this.#bin.append(bytes, at, frameBytes);
    this.#noteFrame(nowMs);
    if (verdict === "undecided") return this.#hold(from, nowMs);
    if (this.#heldFrames > 0) this.#decodeHeld(verdict, from);
    this.#decode(verdict, seq, bytes, at, frameBytes);
  }

  #judge(seq: number, bytes: Uint8Array, at: number, frameBytes: number): OrderVerdict {
    if (this.#isPcm) return "either";
    const verdict = this.#finder.push(seq, bytes, at + frameHeaderBytes, frameBytes - frameHeaderBytes);
    this.#reportOrder();
    return verdict;
  }

  /** The order to decode with when there is no more time to wait for a decision. */
  #settle(): OrderVerdict {
    const order = this.#finder.settle();
    this.#reportOrder();
    return order;
  }

  #reportOrder(): void {
    const { decision } = this.#finder;
    if (decision === undefined || decision === this.#reported) return;
    this.#reported = decision;
    this.#owner.ordered(decision);
  }

  #countGap(seq: number): void {
    const { counts } = this.#segment!;
    if (this.#lastSeq >= 0 && seq !== nextSeq(this.#lastSeq)) {
      const lost = this.#lostBefore(seq);
      counts.gaps += 1;
      counts.lostFrames += lost;
      this.#lostFrames += lost;
    }
    this.#lastSeq = seq;
  }

  #noteFrame(nowMs: number): void {
    const segment = this.#segment!;
    segment.counts.frames += 1;
    segment.endedAt = segment.startedAt + Math.round(nowMs - this.#openedAtMs);
    this.#lastFrameMs = nowMs;
  }

  #hold(from: number, nowMs: number): void {
    if (this.#heldFrames === 0) {
      this.#heldFrom = from;
      this.#heldSinceMs = nowMs;
    }
    this.#heldFrames += 1;
    const heldBytes = this.#bin.fill - this.#heldFrom;
    if (this.#heldFrames > 1 && heldBytes > maxHeldBytes) this.#decodeHeld(this.#settle());
  }

  /** Decodes the held frames up to byte `end` of the bin buffer. */
  #decodeHeld(verdict: OrderVerdict, end = this.#bin.fill): void {
    const { bytes } = this.#bin;
    for (let at = this.#heldFrom; at < end;) {
      const frameBytes = frameBytesAt(bytes, at);
      this.#decode(verdict, frameSeq(bytes, at), bytes, at, frameBytes);
      at += frameBytes;
    }
    this.#heldFrames = 0;
  }

  #decode(verdict: OrderVerdict, seq: number, bytes: Uint8Array, at: number, frameBytes: number): void {
    this.#fillGap(seq);
    const from = this.#wav.fill;
    const payloadAt = at + frameHeaderBytes;
    const payloadBytes = frameBytes - frameHeaderBytes;
    if (this.#isPcm) this.#wav.append(bytes, payloadAt, payloadBytes);
    else this.#decodeAdpcm(verdict, bytes, payloadAt, payloadBytes);
    this.#noteSamples(from);
  }

  #decodeAdpcm(verdict: OrderVerdict, bytes: Uint8Array, at: number, length: number): void {
    const { channels, frameSamples } = this.#spec.handshake;
    if (verdict === "low" || verdict === "high") this.#decoder.order = verdict;
    this.#wav.makeRoom(this.#bytesOf(adpcmSamples(length, channels, frameSamples)));
    const samples = this.#decoder.decode(bytes, at, length, this.#wav.samples, this.#wav.fill / 2);
    if (samples !== invalidFrame) this.#wav.advance(this.#bytesOf(samples));
  }

  /** Writes silence for the frames lost before this one, up to a limit. */
  #fillGap(seq: number): void {
    const lost = this.#decodedSeq < 0 ? 0 : lostBetween(this.#decodedSeq, seq);
    this.#decodedSeq = seq;
    if (lost === 0) return;
    const { sampleRate, frameSamples } = this.#spec.handshake;
    const maxSamples = Math.min((sampleRate * maxFilledMs) / 1000, maxFilledBytes / this.#sampleFrameBytes);
    const filled = this.#spec.fillGaps ? Math.min(lost * frameSamples, Math.floor(maxSamples)) : 0;
    if (filled > 0) this.#appendSilence(this.#bytesOf(filled));
    this.#clock.lose(this.#segment!.counts.samples, lost * frameSamples - filled, this.#nowMs);
  }

  #appendSilence(length: number): void {
    const from = this.#wav.fill;
    this.#wav.makeRoom(length);
    this.#wav.bytes.fill(0, from, from + length);
    this.#wav.advance(length);
    this.#noteSamples(from);
  }

  #noteSamples(from: number): void {
    const length = this.#wav.fill - from;
    const frames = length / this.#sampleFrameBytes;
    const { counts } = this.#segment!;
    const first = counts.samples;
    this.#clock.heard(first, this.#nowMs);
    counts.samples += frames;
    this.#unmeasured += frames;
    if (this.#unmeasured >= this.#measuredFrames) this.#measure();
    if (this.#listening && length > 0)
      this.#owner.audio(this.#wav.bytes, from, length, this.#clock.timeMs(first));
  }

  /** Measures what has come since the last time, a block at a time: for each frame it cost three times as much. */
  #measure(): void {
    const frames = this.#unmeasured;
    this.#unmeasured = 0;
    this.#peaks.push(this.#wav.samples, (this.#wav.fill - frames * this.#sampleFrameBytes) / 2, frames);
  }

  #noteLevel(level: Level, from: number, frames: number): void {
    const { sampleRate } = this.#spec.handshake;
    this.#owner.level(level);
    const { sessionStartUs, position } = this.#segment!.placement;
    const at = sessionStartUs / 1000 + (1000 * (position + from)) / sampleRate;
    this.#detector.push(level, at, (1000 * frames) / sampleRate);
  }

  #bytesOf(samples: number): number {
    return samples * this.#sampleFrameBytes;
  }

  #isDue(nowMs: number): boolean {
    const isPaused = this.#segment!.counts.frames > 0 && nowMs - this.#lastFrameMs >= recordingPauseMs;
    return isPaused || this.#isOver(nowMs) || this.#segment!.fileBytes >= maxSegmentBytes;
  }

  /** Whether the time of the segment is over. */
  #isOver(nowMs: number): boolean {
    return nowMs - this.#openedAtMs >= this.#spec.rotateMs;
  }

  /** Opens a new segment for frame `seq`. Held frames go into the old one. Returns the frame's verdict after that. */
  #rotate(seq: number, verdict: OrderVerdict, nowMs: number): OrderVerdict {
    let after = verdict;
    if (this.#heldFrames > 0) {
      if (verdict === "undecided") after = this.#settle();
      this.#decodeHeld(after);
    }
    this.#fillGap(seq);
    this.#finishSegment();
    this.#openSegment(nowMs, 0);
    return after;
  }

  /** The frames that are missing between this one and the last. */
  #lostBefore(seq: number): number {
    return this.#lastSeq < 0 ? 0 : lostBetween(this.#lastSeq, seq);
  }

  /** A crash must not lose the count of frames that are missing in front of the first one. */
  #openSegment(nowMs: number, lostBefore: number): void {
    const { folder, hwid, handshake } = this.#spec;
    const startedAt = this.#wallMs();
    const base = recordingName(handshake.streamId, hwid ?? undefined, startedAt);
    const name = hwid === null ? base : `${hwid}/${base}`;
    const placement = this.#clock.open(nowMs, startedAt);
    const { latePlacement } = this.#clock;
    const segment = Segment.open(folder, name, handshake, {
      startedAt,
      placement,
      latePlacement,
      lostBefore,
    });
    segment.adopt(this.#bin, this.#wav);
    this.#peaks.start(segment.path);
    this.#segment = segment;
    if (nowMs - this.#lastFrameMs >= recordingPauseMs) this.#previous = undefined;
    this.#openedAtMs = nowMs;
    this.#owner.started(segment);
  }

  #flush(): void {
    // What is written may leave the buffer.
    this.#measure();
    const heldBytes = this.#heldFrames > 0 ? this.#bin.fill - this.#heldFrom : 0;
    this.#buffers.flush(this.#segment!, heldBytes);
    this.#heldFrom = 0;
  }

  #finishSegment(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    if (this.#buffers.unwrittenBytes > 0) this.#flush();
    this.#measure();
    segment.peaks = this.#peaks.finish();
    this.#finish(segment);
    this.#segment = undefined;
  }

  #finish(segment: Segment): void {
    segment.finish();
    segment.placement = this.#clock.close(segment.counts.samples);
    this.#previous = { name: segment.name, samples: segment.counts.samples };
    this.#owner.finished(segment, this.#isPcm ? undefined : this.#finder.decision);
  }
}
