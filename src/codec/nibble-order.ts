/**
 * Which nibble of a byte comes first in an ADPCM stream, found from the stream itself.
 *
 * A frame's header is the coder's state before the frame. So decoding frame n in the right order ends exactly in the
 * header of frame n + 1, and the wrong order almost never does:
 *
 *     frame n:  header ---- nibbles, low first ----> end ?= header of frame n + 1
 *                     \---- nibbles, high first ---> end ?=
 *
 * What a pair of consecutive frames says:
 *   - both ends fit: nothing (silence, or nibbles that are alike);
 *   - one fits, and the ends are far apart: the order is certain;
 *   - one fits, but the ends are near: quiet audio may fit by chance, so that three such pairs must agree;
 *   - none fits: this coder does not always carry its state on, so that chance gets many tries: what was found
 *     before is forgotten, and a run of pairs must agree from now on.
 *
 * Frames have to wait for that only from the first one on that differs between the orders. Where no order is found
 * within `maxHeldFrames` the stream falls back to low first, as the specification has it, and is watched further: a
 * later certainty still changes the order.
 */
import { areHeadersValid, adpcmSamples, channelHeaderBytes, coderOfHeader } from "./ima-adpcm.ts";
import { type NibbleOrder, coderAfter } from "./ima-adpcm-loops.ts";

/** Frames that wait for a decision: 320 ms of 20 ms frames. */
export const maxHeldFrames = 16;

/** Bytes of frames that wait for a decision, unless it is a single frame. */
export const maxHeldBytes = 32 * 1024;

/** Frames, of those that differ between the orders, after which a stream that fell back is left at that. */
export const maxWatchedFrames = 3000;

/** Ends whose predictors differ by this much or more are far apart. */
const farApart = 32;

/** What a pair weighs in which one end fits, and what makes an order certain before and after a pair that fits none. */
const farWeight = 3;
const nearWeight = 1;
const certain = 3;
const certainAfterMisfit = 12;

export interface OrderDecision {
  order: NibbleOrder;
  /** Found from the frames; taken because nothing was found; or demanded by the configuration. */
  by: "matched" | "fallback" | "forced";
}

/**
 * What to do with a frame just pushed: decode it, and all that are held, in this order; decode it in any order,
 * since both give the same and none is held; or hold it until a later verdict.
 */
export type OrderVerdict = NibbleOrder | "either" | "undecided";

/** Finds the order of one stream. It keeps no frame itself: whoever pushes holds those that are undecided. */
export class NibbleOrderFinder {
  /** How the order was decided, or undefined so far. A fallback may still turn into a match. */
  decision: OrderDecision | undefined;
  /** Frames and bytes that the caller holds. */
  heldFrames = 0;
  heldBytes = 0;

  private readonly channels: number;
  private readonly frameSamples: number;
  /** Where the frame before ended: low first and high first of each channel in turn, as `predictor << 8 | index`. */
  private readonly ends: Int32Array;
  private hasEnds = false;
  private lastSeq = 0;
  /** Over 0 for low first, under 0 for high first; `needed` either way decides. */
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

  /** Takes the next frame: its sequence number (u32, may wrap) and its payload of `bytes` bytes at `source[at]`. */
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
    this.follow(source, at, samples, differs);
    this.lastSeq = seq;
    return this.verdict(bytes, differs);
  }

  /** Ends the search for now: nothing may be held any longer. The order to decode with, low first if none was found. */
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

  /** Weighs the ends of the frame before against the headers at `at`. */
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
    else if (!fitsLow) this.forget();
  }

  private forget(): void {
    this.evidence = 0;
    this.needed = certainAfterMisfit;
  }

  /** Follows the frame to its ends in both orders; one way is enough where the orders do not differ. */
  private follow(source: Uint8Array, at: number, samples: number, differs: boolean): void {
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

  /** True where some byte has two nibbles that are not alike. */
  private orderMatters(source: Uint8Array, at: number, bytes: number): boolean {
    for (let from = at + this.channels * channelHeaderBytes; from < at + bytes; from++) {
      const byte = source[from]!;
      if (byte >> 4 !== (byte & 15)) return true;
    }
    return false;
  }
}
