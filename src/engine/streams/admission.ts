/** Admission control: how many bytes the cache has, and whether it may take more. */
import { WavecacheError } from "../../base/errors.ts";

export interface AdmissionLimits {
  maxStreamBytes: number;
  maxCacheBytes: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  /** Bytes of finished audio; identical content counts once. */
  objectBytes = 0;
  /** Bytes of current and interrupted uploads. */
  unfinishedBytes = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get cacheBytes(): number {
    return this.objectBytes + this.unfinishedBytes;
  }

  /** Throws CACHE_FULL if there is no room for a single byte. */
  checkStart(): void {
    if (this.cacheBytes >= this.#limits.maxCacheBytes) throw new WavecacheError("CACHE_FULL");
  }

  /** Returns why a stream of `streamBytes` may not take `moreBytes`, or undefined if it may. */
  refuseWrite(streamBytes: number, moreBytes: number): WavecacheError | undefined {
    if (streamBytes + moreBytes > this.#limits.maxStreamBytes) return new WavecacheError("STREAM_TOO_LARGE");
    if (this.cacheBytes + moreBytes > this.#limits.maxCacheBytes) return new WavecacheError("CACHE_FULL");
    return undefined;
  }
}
