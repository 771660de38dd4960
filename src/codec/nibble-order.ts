/**
 * Detects the nibble order of an ADPCM stream from its frames.
 *
 * A frame's header is the coder's state before the frame. Decoding frame n in the right order therefore ends exactly in
 * the header of frame n + 1; in the wrong order it almost never does:
 *
 *     frame n:  header ---- nibbles, low first ----> end ?= header of frame n + 1
 *                     \---- nibbles, high first ---> end ?=
 *
 * The evidence of two consecutive frames:
 *   - both ends match: none (silence, or bytes with two equal nibbles);
 *   - one end matches, and the ends are far apart: the order is certain;
 *   - one end matches, but the ends are near: quiet audio may match by chance, so three such pairs must agree;
 *   - no end matches: the coder does not always continue its state, which gives chance many tries. Earlier evidence
 *     is discarded, and from now on several pairs must agree.
 *
 * Frames wait for the decision from the first frame on that the orders decode differently. If `maxHeldFrames` bring no
 * decision, the stream falls back to the order of the specification, low first. The search continues, and a later match
 * still changes the order.
 */
import { areHeadersValid, adpcmSamples, channelHeaderBytes, coderOfHeader } from "./ima-adpcm.ts";
import { type NibbleOrder, coderAfter } from "./ima-adpcm-loops.ts";

/** Frames that wait for a decision, 320 ms in frames of 20 ms. The next frame brings the fallback. */
export const maxHeldFrames = 16;

/** Bytes of the waiting frames; more bring the fallback. A single frame may be longer. */
export const maxHeldBytes = 32 * 1024;

/** Frames that the orders decode differently, after which a fallback becomes final. */
export const maxWatchedFrames = 3000;

/** Ends are far apart if their predictors differ by at least this much. */
const farApart = 32;

/** Weight of a pair with one matching end; weight that makes an order certain, at first and after a pair without a match. */
const farWeight = 3;
const nearWeight = 1;
const certain = 3;
const certainAfterMisfit = 12;

export interface OrderDecision {
  order: NibbleOrder;
  /** Detected from the frames, assumed because detection failed, or set by the configuration. */
  by: "matched" | "fallback" | "forced";
}

/**
 * What the caller does with the frame it pushed: decodes it and all held frames in this order; decodes it in any order,
 * because both give the same samples and no frame is held; or holds it until a later verdict.
 */
export type OrderVerdict = NibbleOrder | "either" | "undecided";

/** Detects the order of one stream. It stores no frames: the caller holds those that are undecided. */
export class NibbleOrderFinder {
  /** The decision, if there is one yet. A fallback may still become a match. */
  decision: OrderDecision | undefined;
  /** Frames and bytes that the caller holds. */
  heldFrames = 0;
  heldBytes = 0;

  private readonly channels: number;
  private readonly frameSamples: number;
  /** End states of the previous frame: of each channel, low first and high first, as `predictor << 8 | index`. */
  private readonly ends: Int32Array;
  private hasEnds = false;
  private lastSeq = 0;
  /** Above 0 for low first, below 0 for high first; decides once it reaches `needed` either way. */
  private evidence = 0;
  private needed = certain;
  private watchedFrames = 0;

  /** For frames of `channels` channels and `frameSamples` samples a channel; `forced` decides at once. */
  constructor(channels: number, frameSamples: number, forced?: NibbleOrder) {
    this.channels = channels;
    this.frameSamples = frameSamples;
    this.ends = new Int32Array(2 * channels);
    if (forced !== undefined) this.decision = { order: forced, by: "forced" };
  }

  /** Examines the next frame: its sequence number (u32, may wrap) and its payload of `bytes` bytes at `source[at]`. */
  push(seq: number, source: Uint8Array, at: number, bytes: number): OrderVerdict {
    if (this.isSettled()) return this.decision!.order;
    if (!areHeadersValid(source, at, bytes, this.channels)) {
      return this.decision?.order ?? (this.heldFrames === 0 ? "either" : "undecided");
    }
    if (this.hasEnds && (seq - this.lastSeq) >>> 0 === 1) this.compare(source, at);
    if (Math.abs(this.evidence) >= this.needed)
      return this.decide(this.evidence > 0 ? "low" : "high", "matched");
    const samples = adpcmSamples(bytes, this.channels, this.frameSamples);
    const differs = this.orderMatters(source, at, bytes);
    this.computeEnds(source, at, samples, differs);
    this.lastSeq = seq;
    return this.verdict(bytes, differs);
  }

  /** Forces a decision, because the caller can hold no more frames. Returns it: low first if no order was detected. */
  settle(): NibbleOrder {
    return this.decision?.order ?? this.decide("low", "fallback");
  }

  private isSettled(): boolean {
    if (this.decision === undefined) return false;
    return this.decision.by !== "fallback" || this.watchedFrames >= maxWatchedFrames;
  }

  private decide(order: NibbleOrder, by: OrderDecision["by"]): NibbleOrder {
    this.decision = { order, by };
    this.heldFrames = 0;
    this.heldBytes = 0;
    return order;
  }

  private verdict(bytes: number, differs: boolean): OrderVerdict {
    if (this.decision !== undefined) {
      if (differs) this.watchedFrames++;
      return this.decision.order;
    }
    if (this.heldFrames === 0 && !differs) return "either";
    const isFull = this.heldFrames > 0 && this.heldBytes + bytes > maxHeldBytes;
    if (isFull || this.heldFrames === maxHeldFrames) return this.settle();
    this.heldFrames++;
    this.heldBytes += bytes;
    return "undecided";
  }

  /** Compares the end states of the previous frame with the headers at `at`. */
  private compare(source: Uint8Array, at: number): void {
    let fitsLow = true;
    let fitsHigh = true;
    let isFar = false;
    for (let channel = 0; channel < this.channels; channel++) {
      const header = coderOfHeader(source, at + channel * channelHeaderBytes);
      const low = this.ends[2 * channel]!;
      const high = this.ends[2 * channel + 1]!;
      fitsLow &&= low === header;
      fitsHigh &&= high === header;
      isFar ||= Math.abs((low >> 8) - (high >> 8)) >= farApart;
    }
    const weight = isFar ? farWeight : nearWeight;
    if (fitsLow && !fitsHigh) this.evidence += weight;
    else if (fitsHigh && !fitsLow) this.evidence -= weight;
    else if (!fitsLow) this.discardEvidence();
  }

  private discardEvidence(): void {
    this.evidence = 0;
    this.needed = certainAfterMisfit;
  }

  /** Computes the end states of the frame in both orders; once is enough if the orders do not differ. */
  private computeEnds(source: Uint8Array, at: number, samples: number, differs: boolean): void {
    const { channels, ends } = this;
    const skip = 4 * (channels - 1);
    for (let channel = 0; channel < channels; channel++) {
      const coder = coderOfHeader(source, at + channel * channelHeaderBytes);
      const nibbles = at + channels * channelHeaderBytes + channel * 4;
      const low = coderAfter(source, nibbles, skip, samples, "low", coder);
      ends[2 * channel] = low;
      ends[2 * channel + 1] = differs ? coderAfter(source, nibbles, skip, samples, "high", coder) : low;
    }
    this.hasEnds = true;
  }

  /** Whether a byte has two different nibbles. */
  private orderMatters(source: Uint8Array, at: number, bytes: number): boolean {
    for (let from = at + this.channels * channelHeaderBytes; from < at + bytes; from++) {
      const byte = source[from]!;
      if (byte >> 4 !== (byte & 15)) return true;
    }
    return false;
  }
}
