/**
 * When objects are stored. An object store on the same machine, or the way to it, takes processor time that uploads need:
 * while they keep the processors busy, storing waits, up to a limit, and catches up afterwards.
 *
 *              busy                     late: too long, or too much waits
 *     prompt ────────► deferring ───────────────────────────────────────► late
 *        ▲                 │                                                │
 *        └─── not busy ────┴────────── not busy, or nothing waits ──────────┘
 */
import {
  busyProcessorShare,
  busyUploadBytesPerSecond,
  maxArchiveDelayMs,
  minArchiveLookMs,
} from "../../base/limits/archive.ts";

export interface PaceHost {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Bytes of all audio here, finished or not. */
  storedBytes(): number;
  /** Share of the time since the last call, 0 to 1. */
  processorShare(): number;
  /** Bytes that wait to be stored. */
  queuedBytes(): number;
}

export class ArchivePace {
  readonly #host: PaceHost;
  readonly #maxDelayedBytes: number;
  #lookedAtMs: number;
  #storedBytes: number;
  #isBusy = false;
  #deferringSinceMs: number | undefined;
  #isLate = false;

  /** With more than `maxDelayedBytes` in the queue, storing does not wait. */
  constructor(host: PaceHost, maxDelayedBytes: number) {
    this.#host = host;
    this.#maxDelayedBytes = maxDelayedBytes;
    this.#lookedAtMs = host.now();
    this.#storedBytes = host.storedBytes();
  }

  /** Storing waits for uploads. */
  get isDeferring(): boolean {
    return this.#deferringSinceMs !== undefined && !this.#isLate;
  }

  /** Looks at the machine. Returns whether objects may be stored now. */
  mayStore(): boolean {
    this.#look();
    if (!this.#isBusy) {
      this.caughtUp();
      return true;
    }
    if (!this.#isLate) this.#isLate = this.#isTooLate();
    return this.#isLate;
  }

  /** Nothing waits any more. */
  caughtUp(): void {
    this.#deferringSinceMs = undefined;
    this.#isLate = false;
  }

  #isTooLate(): boolean {
    this.#deferringSinceMs ??= this.#host.now();
    const waitedMs = this.#host.now() - this.#deferringSinceMs;
    return waitedMs >= maxArchiveDelayMs || this.#host.queuedBytes() > this.#maxDelayedBytes;
  }

  /** A short time says little. */
  #look(): void {
    const passedMs = this.#host.now() - this.#lookedAtMs;
    if (passedMs < minArchiveLookMs) return;
    const bytes = this.#host.storedBytes() - this.#storedBytes;
    this.#lookedAtMs += passedMs;
    this.#storedBytes += bytes;
    const isUploading = bytes >= (busyUploadBytesPerSecond * passedMs) / 1000;
    this.#isBusy = this.#host.processorShare() >= busyProcessorShare && isUploading;
  }
}
