/** Limits by number: even a stream without a byte costs a row in the catalog, and an upload a file. */
import { type ErrorCode, WavecacheError } from "../../base/errors.ts";
import { minStreamBytes } from "../../base/limits/streams.ts";
import type { StreamCounts } from "./counts.ts";

export interface StreamQuotaLimits {
  maxCacheBytes: number;
  maxStreams: number;
  maxUnfinishedStreams: number;
  /** Uploads in progress: each has a file open. */
  maxUploads: number;
}

export class StreamQuota {
  readonly #limits: StreamQuotaLimits;
  readonly #counts: StreamCounts;
  readonly #isRefused: (streamId: string) => boolean;

  /** `isRefused`: a policy of retention takes no new stream of this id. */
  constructor(limits: StreamQuotaLimits, counts: StreamCounts, isRefused: (streamId: string) => boolean) {
    this.#limits = limits;
    this.#counts = counts;
    this.#isRefused = isRefused;
  }

  /** Throws DESCRIPTORS_EXHAUSTED if one more upload, new or resumed, may open no file. */
  checkUpload(uploads: number): void {
    if (uploads >= this.#limits.maxUploads) throw new WavecacheError("DESCRIPTORS_EXHAUSTED");
  }

  /** Throws what `refusal` returns. */
  checkNew(streamId: string): void {
    const refusal = this.refusal(streamId);
    if (refusal !== undefined) throw new WavecacheError(refusal);
  }

  /** Why there may be no further stream, of this id; undefined if there may. */
  refusal(streamId: string): ErrorCode | undefined {
    const { maxCacheBytes, maxStreams, maxUnfinishedStreams } = this.#limits;
    const { finished, unfinished, pending } = this.#counts;
    const streams = finished + unfinished + pending;
    if (streams >= maxStreams || (streams + 1) * minStreamBytes > Math.max(maxCacheBytes, minStreamBytes))
      return "CACHE_FULL";
    if (this.#isRefused(streamId)) return "CACHE_FULL";
    if (unfinished + pending >= maxUnfinishedStreams) return "STREAMS_EXHAUSTED";
    return undefined;
  }
}
