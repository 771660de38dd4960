/** How much there is and how much there may be: what is full is refused at the door. */
import { WavecacheError } from "../../base/errors.ts";

export interface AdmissionLimits {
  maxStreamBytes: number;
  maxCacheBytes: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  /** Bytes of finished audio, each content once. */
  objectBytes = 0;
  /** Bytes of uploads, under way and interrupted. */
  unfinishedBytes = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get cacheBytes(): number {
    return this.objectBytes + this.unfinishedBytes;
  }

  /** Throws CACHE_FULL if not one more byte may come. */
  checkStart(): void {
    if (this.cacheBytes >= this.#limits.maxCacheBytes) throw new WavecacheError("CACHE_FULL");
  }

  /** Why a stream of `streamBytes` may not take `moreBytes`, or undefined if it may. */
  refuseWrite(streamBytes: number, moreBytes: number): WavecacheError | undefined {
    if (streamBytes + moreBytes > this.#limits.maxStreamBytes) return new WavecacheError("STREAM_TOO_LARGE");
    if (this.cacheBytes + moreBytes > this.#limits.maxCacheBytes) return new WavecacheError("CACHE_FULL");
    return undefined;
  }
}
