/**
 * One live stream on its way into files. Frames go to `.bin` as they come and, decoded, to `.wav`:
 *
 *     frame --> bin buffer ------------------------------> .bin
 *                  |  held while their nibble order is open
 *                  '--> decode, silence for lost frames --> wav buffer --> .wav
 *                                                              '--------> live listeners
 *
 * Both buffers go to their files together. A sample is in the segment of its frame, whatever was held when: at a
 * rotation everything held is decoded into the old segment first.
 */
import {
  liveHistoryMs,
  maxFilledBytes,
  maxFilledMs,
  maxLiveHistoryBytes,
  maxSegmentBytes,
  nibbleHoldMs,
  recordingFlushBytes,
  recordingFlushMs,
  recordingTickMs,
} from "../../src/base/limits/recordings.ts";
import type { RecordingEntry } from "../../src/base/recording-entry.ts";
import { AdpcmDecoder, adpcmSamples, invalidFrame } from "../../src/codec/ima-adpcm.ts";
import { NibbleOrderFinder, type OrderDecision, type OrderVerdict } from "../../src/codec/nibble-order.ts";
import type { RecordingSpec } from "../../src/lane/messages/recordings.ts";
import type { Body } from "../../src/lane/messages/streams.ts";
import { AppendBuffer } from "../../src/store/recordings/append-buffer.ts";
import { Segment } from "../../src/store/recordings/segment.ts";
import {
  codecPcm16,
  frameBytesAt,
  frameHeaderBytes,
  frameSeq,
  lostBetween,
  nextSeq,
  recordingName,
} from "../../src/wire/ingest.ts";

/** Who hears what becomes of a stream. */
export interface RecorderOwner {
  started(segment: Segment): void;
  /** The segment is complete and is to be hashed; `decision` is how its nibbles were read. */
  finished(segment: Segment, decision: OrderDecision | undefined): void;
  ordered(decision: OrderDecision): void;
  /** PCM16 at `bytes[at]`, valid until this returns; only while `listening`. */
  audio(bytes: Uint8Array, at: number, length: number): void;
  /** So many frames came in, and so many are missing before or between them. */
  taken(frames: number, lostFrames: number): void;
}

const pageBytes = 4096;
const mostBufferBytes = 2 * recordingFlushBytes;
/** Frames that wait for their nibble order, at most; a single one may be longer. */
const maxHeldBytes = recordingFlushBytes;

export class Recorder {
  readonly #order: RecordingSpec;
  readonly #owner: RecorderOwner;
  readonly #isPcm: boolean;
  readonly #sampleFrameBytes: number;
  readonly #historyBytes: number;
  readonly #finder: NibbleOrderFinder;
  readonly #decoder: AdpcmDecoder;
  readonly #bin: AppendBuffer;
  readonly #wav: AppendBuffer;
  /** More than this is written before its time, so that the buffers need not grow. */
  readonly #mostBinBytes: number;
  readonly #mostWavBytes: number;
  #segment: Segment | undefined;
  #told: OrderDecision | undefined;
  #listening = false;
  /** Sequence number of the frame that came last, and of the one decoded last; -1 before the first. */
  #lastSeq = -1;
  #decodedSeq = -1;
  /** In all segments. */
  #lostFrames = 0;
  /** Frames in the bin buffer, from byte `#heldFrom` on, that are not decoded yet. */
  #held = 0;
  #heldFrom = 0;
  /** Times of the monotonic clock, in ms. */
  #heldSince = 0;
  #openedAt = 0;
  #unwrittenSince = 0;

  constructor(order: RecordingSpec, owner: RecorderOwner) {
    const { channels, codec, frameSamples, sampleRate } = order.handshake;
    this.#order = order;
    this.#owner = owner;
    this.#isPcm = codec === codecPcm16;
    this.#sampleFrameBytes = 2 * channels;
    this.#historyBytes = this.#bytesOf(
      Math.min(
        Math.ceil((sampleRate * liveHistoryMs) / 1000),
        Math.floor(maxLiveHistoryBytes / this.#sampleFrameBytes),
      ),
    );
    const wavRate = this.#bytesOf(sampleRate);
    const wavBytes = bufferBytes(wavRate, this.#historyBytes);
    const binBytes = bufferBytes(this.#isPcm ? wavRate : wavRate / 4, 0);
    this.#wav = new AppendBuffer(wavBytes);
    this.#bin = new AppendBuffer(binBytes);
    this.#mostWavBytes = wavBytes - wavBytes / 8 - this.#historyBytes;
    this.#mostBinBytes = binBytes - binBytes / 8;
    this.#finder = new NibbleOrderFinder(channels, frameSamples, order.nibbles ?? undefined);
    this.#decoder = new AdpcmDecoder(channels, frameSamples, order.nibbles ?? "low");
    this.#told = this.#finder.decision;
  }

  /** Takes whole frame messages. `now` is ms of the monotonic clock. Throws the system's error when files fail. */
  take(frames: Body, now: number): void {
    const { bytes, offset, length } = frames;
    const lostBefore = this.#lostFrames;
    let count = 0;
    for (let at = offset; at < offset + length;) {
      const whole = frameBytesAt(bytes, at);
      if (whole === 0) throw new RangeError("a task that is no whole frame");
      this.#takeFrame(bytes, at, whole, now);
      count += 1;
      at += whole;
      if (this.#isFull()) this.#flush();
    }
    this.#owner.taken(count, this.#lostFrames - lostBefore);
  }

  /** Does what is due by now. */
  tick(now: number): void {
    if (this.#held > 0 && now - this.#heldSince >= nibbleHoldMs) this.#decodeHeld(this.#settle());
    if (this.#unwrittenBytes > 0 && now - this.#unwrittenSince >= recordingFlushMs) this.#flush();
  }

  /** From now on, or no longer, `audio` is called; first with what was last. */
  listen(wanted: boolean): void {
    const length = Math.min(this.#historyBytes, this.#wav.fill);
    if (wanted && length > 0) this.#owner.audio(this.#wav.bytes, this.#wav.fill - length, length);
    this.#listening = wanted;
  }

  /** Ends the stream and finishes its segment. */
  end(): void {
    if (this.#held > 0) this.#decodeHeld(this.#settle());
    this.#finishSegment();
  }

  /** Files have failed: finishes the segment with what is safely in it. */
  fail(): void {
    const segment = this.#segment;
    this.#segment = undefined;
    if (segment === undefined) return;
    try {
      if (segment.rollBack()) this.#finish(segment);
    } catch (error) {
      segment.close();
      throw error;
    }
  }

  /** Leaves everything as it is in the files: the next start repairs them. */
  abandon(): void {
    this.#segment?.close();
    this.#segment = undefined;
  }

  #isFull(): boolean {
    return this.#wav.unwrittenBytes > this.#mostWavBytes || this.#bin.unwrittenBytes > this.#mostBinBytes;
  }

  get #unwrittenBytes(): number {
    return this.#bin.unwrittenBytes + this.#wav.unwrittenBytes;
  }

  #takeFrame(bytes: Uint8Array, at: number, whole: number, now: number): void {
    const seq = frameSeq(bytes, at);
    let verdict = this.#judge(seq, bytes, at, whole);
    if (this.#segment === undefined) this.#openSegment(now);
    this.#countGap(seq);
    if (this.#isDue(now)) verdict = this.#rotate(seq, verdict, now);
    if (this.#unwrittenBytes === 0) this.#unwrittenSince = now;
    const from = this.#bin.fill;
    this.#bin.append(bytes, at, whole);
    this.#noteFrame(now);
    if (verdict === "undecided") return this.#hold(from, now);
    if (this.#held > 0) this.#decodeHeld(verdict, from);
    this.#decode(verdict, seq, bytes, at, whole);
  }

  #judge(seq: number, bytes: Uint8Array, at: number, whole: number): OrderVerdict {
    if (this.#isPcm) return "either";
    const verdict = this.#finder.push(seq, bytes, at + frameHeaderBytes, whole - frameHeaderBytes);
    this.#tellOrder();
    return verdict;
  }

  /** The order to decode with when there is no time to wait any longer. */
  #settle(): OrderVerdict {
    const order = this.#finder.settle();
    this.#tellOrder();
    return order;
  }

  #tellOrder(): void {
    const { decision } = this.#finder;
    if (decision === undefined || decision === this.#told) return;
    this.#told = decision;
    this.#owner.ordered(decision);
  }

  #countGap(seq: number): void {
    const { counts } = this.#segment!;
    if (this.#lastSeq >= 0 && seq !== nextSeq(this.#lastSeq)) {
      const lost = lostBetween(this.#lastSeq, seq);
      counts.gaps += 1;
      counts.lostFrames += lost;
      this.#lostFrames += lost;
    }
    this.#lastSeq = seq;
  }

  #noteFrame(now: number): void {
    const segment = this.#segment!;
    segment.counts.frames += 1;
    segment.endedAt = segment.startedAt + Math.round(now - this.#openedAt);
  }

  #hold(from: number, now: number): void {
    if (this.#held === 0) {
      this.#heldFrom = from;
      this.#heldSince = now;
    }
    this.#held += 1;
    if (this.#held > 1 && this.#bin.fill - this.#heldFrom > maxHeldBytes) this.#decodeHeld(this.#settle());
  }

  /** Decodes what is held, up to byte `end` of the bin buffer. */
  #decodeHeld(verdict: OrderVerdict, end = this.#bin.fill): void {
    const { bytes } = this.#bin;
    for (let at = this.#heldFrom; at < end;) {
      const whole = frameBytesAt(bytes, at);
      this.#decode(verdict, frameSeq(bytes, at), bytes, at, whole);
      at += whole;
    }
    this.#held = 0;
  }

  #decode(verdict: OrderVerdict, seq: number, bytes: Uint8Array, at: number, whole: number): void {
    this.#fillGap(seq);
    const from = this.#wav.fill;
    const payloadAt = at + frameHeaderBytes;
    const payloadBytes = whole - frameHeaderBytes;
    if (this.#isPcm) this.#wav.append(bytes, payloadAt, payloadBytes);
    else this.#decodeAdpcm(verdict, bytes, payloadAt, payloadBytes);
    this.#noteSamples(from);
  }

  #decodeAdpcm(verdict: OrderVerdict, bytes: Uint8Array, at: number, length: number): void {
    const { channels, frameSamples } = this.#order.handshake;
    if (verdict === "low" || verdict === "high") this.#decoder.order = verdict;
    this.#wav.makeRoom(this.#bytesOf(adpcmSamples(length, channels, frameSamples)));
    const samples = this.#decoder.decode(bytes, at, length, this.#wav.samples, this.#wav.fill / 2);
    if (samples !== invalidFrame) this.#wav.advance(this.#bytesOf(samples));
  }

  /** Silence for the frames that are lost before this one, as much of it as is reasonable. */
  #fillGap(seq: number): void {
    const lost = this.#decodedSeq < 0 ? 0 : lostBetween(this.#decodedSeq, seq);
    this.#decodedSeq = seq;
    if (!this.#order.fillGaps || lost === 0) return;
    const { sampleRate, frameSamples } = this.#order.handshake;
    const most = Math.min((sampleRate * maxFilledMs) / 1000, maxFilledBytes / this.#sampleFrameBytes);
    const length = this.#bytesOf(Math.min(lost * frameSamples, Math.floor(most)));
    const from = this.#wav.fill;
    this.#wav.makeRoom(length);
    this.#wav.bytes.fill(0, from, from + length);
    this.#wav.advance(length);
    this.#noteSamples(from);
  }

  #noteSamples(from: number): void {
    const length = this.#wav.fill - from;
    this.#segment!.counts.samples += length / this.#sampleFrameBytes;
    if (this.#listening && length > 0) this.#owner.audio(this.#wav.bytes, from, length);
  }

  #bytesOf(samples: number): number {
    return samples * this.#sampleFrameBytes;
  }

  #isDue(now: number): boolean {
    return now - this.#openedAt >= this.#order.rotateMs || this.#segment!.fileBytes >= maxSegmentBytes;
  }

  /** Goes on in a new segment, with frame `seq`. What is held belongs to the old one; returns the frame's new verdict. */
  #rotate(seq: number, verdict: OrderVerdict, now: number): OrderVerdict {
    let after = verdict;
    if (this.#held > 0) {
      if (verdict === "undecided") after = this.#settle();
      this.#decodeHeld(after);
    }
    this.#fillGap(seq);
    this.#finishSegment();
    this.#openSegment(now);
    return after;
  }

  #openSegment(now: number): void {
    const { folder, hwid, handshake } = this.#order;
    const startedAt = Date.now();
    const base = recordingName(handshake.streamId, hwid ?? undefined, startedAt);
    const name = hwid === null ? base : `${hwid}/${base}`;
    const segment = Segment.open(folder, name, handshake, startedAt);
    segment.adopt(this.#bin, this.#wav);
    this.#segment = segment;
    this.#openedAt = now;
    this.#owner.started(segment);
  }

  #flush(): void {
    this.#segment!.append(this.#bin, this.#wav);
    const keep = this.#held > 0 ? this.#bin.fill - this.#heldFrom : 0;
    this.#bin.markWritten(keep);
    this.#heldFrom = 0;
    this.#wav.markWritten(this.#historyBytes);
  }

  #finishSegment(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    if (this.#unwrittenBytes > 0) this.#flush();
    this.#finish(segment);
    this.#segment = undefined;
  }

  #finish(segment: Segment): void {
    segment.finish();
    this.#owner.finished(segment, this.#isPcm ? undefined : this.#finder.decision);
  }
}

/** Whole pages that hold what comes between two flushes at this rate in bytes a second, beside what is kept. */
function bufferBytes(rate: number, keptBytes: number): number {
  const needed = keptBytes + (rate * (recordingFlushMs + recordingTickMs)) / 1000;
  return Math.min(mostBufferBytes, Math.ceil(needed / pageBytes) * pageBytes);
}

/** What a segment is entered as, once it is hashed. */
export function describeSegment(
  order: RecordingSpec,
  segment: Segment,
  decision: OrderDecision | undefined,
): RecordingEntry {
  const { streamId, sampleRate, channels, codec } = order.handshake;
  return {
    name: segment.name,
    device: order.hwid,
    streamId,
    codec: codec === codecPcm16 ? "pcm" : "adpcm",
    sampleRate,
    channels,
    startedAt: segment.startedAt,
    endedAt: segment.endedAt,
    ...segment.counts,
    nibbleOrder: decision?.order ?? null,
    nibbleOrderBy: decision?.by ?? null,
    ...segment.hashes(),
  };
}
