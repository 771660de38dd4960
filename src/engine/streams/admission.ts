/** Admission control: how many bytes the cache has, and whether it may take more. */
import { WavecacheError } from "../../base/errors.ts";

export interface AdmissionLimits {
  maxStreamBytes: number;
  maxCacheBytes: number;
}

/** Makes room in a full cache. */
export interface Reclaimer {
  /** Starts to free so many bytes; false if that is impossible. The cache holds more than its limit until they are free. */
  reclaim(bytes: number): boolean;
}

const noReclaimer: Reclaimer = { reclaim: () => false };

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #reclaimer: Reclaimer;
  /** Bytes of finished audio; identical content counts once. */
  objectBytes = 0;
  /** Bytes of current and interrupted uploads. */
  unfinishedBytes = 0;

  constructor(limits: AdmissionLimits, reclaimer: Reclaimer = noReclaimer) {
    this.#limits = limits;
    this.#reclaimer = reclaimer;
  }

  get cacheBytes(): number {
    return this.objectBytes + this.unfinishedBytes;
  }

  /** Throws STREAM_TOO_LARGE or CACHE_FULL for a new stream of `size`; undefined asks for room for a single byte. */
  checkStart(size: number | undefined): void {
    this.checkSize(size);
    if (!this.#hasRoom(size ?? 1)) throw new WavecacheError("CACHE_FULL");
  }

  /** Throws STREAM_TOO_LARGE for a stream that could never be finished. */
  checkSize(size: number | undefined): void {
    if ((size ?? 0) > this.#limits.maxStreamBytes) throw new WavecacheError("STREAM_TOO_LARGE");
  }

  /** Returns why a stream of `streamBytes` may not take `moreBytes`, or undefined if it may. */
  refuseWrite(streamBytes: number, moreBytes: number): WavecacheError | undefined {
    if (streamBytes + moreBytes > this.#limits.maxStreamBytes) return new WavecacheError("STREAM_TOO_LARGE");
    return this.#hasRoom(moreBytes) ? undefined : new WavecacheError("CACHE_FULL");
  }

  /** Interrupted uploads make room for uploads in progress. */
  #hasRoom(bytes: number): boolean {
    const excessBytes = this.cacheBytes + bytes - this.#limits.maxCacheBytes;
    return excessBytes <= 0 || this.#reclaimer.reclaim(excessBytes);
  }
}
