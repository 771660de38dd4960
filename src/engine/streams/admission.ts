/** Admission control: how many bytes the cache has, and whether it may take more. */
import { RecentBytes } from "./recent-bytes.ts";
import { WavecacheError } from "../../base/errors.ts";
import { roomWaitMs } from "../../base/limits/retention.ts";

export interface AdmissionLimits {
  maxStreamBytes: number;
  maxCacheBytes: number;
}

/** Makes room in a full cache. */
export interface Reclaimer {
  /** Starts to free `excessBytes`, so that `newBytes` have room; false if that is impossible. */
  reclaim(excessBytes: number, newBytes: number): boolean;
}

/** Admitted bytes are in a lane or on the disk after this. */
const laneDelayMs = 50;

const noReclaimer: Reclaimer = { reclaim: () => false };

/** An upload with accepted bytes that have no room yet. */
interface Waiting {
  bytes: number;
  resolve(hasRoom: boolean): void;
  timer: Timer;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #reclaimer: Reclaimer;
  #objectBytes = 0;
  #unfinishedBytes = 0;
  #evictedBytes = 0;
  #fetchedBytes = 0;
  #diskRoomBytes = Infinity;
  #admittedBytes = 0;
  readonly #admittedLately = new RecentBytes(laneDelayMs);
  /** In the order in which they get room. */
  readonly #waiting = new Set<Waiting>();
  #waitingBytes = 0;

  constructor(limits: AdmissionLimits, reclaimer: Reclaimer = noReclaimer) {
    this.#limits = limits;
    this.#reclaimer = reclaimer;
  }

  /** Bytes of finished audio; identical content counts once. */
  get objectBytes(): number {
    return this.#objectBytes;
  }

  set objectBytes(bytes: number) {
    this.#objectBytes = bytes;
    this.#admitWaiting();
  }

  /** Bytes of current and interrupted uploads, those that wait for room included. */
  get unfinishedBytes(): number {
    return this.#unfinishedBytes;
  }

  set unfinishedBytes(bytes: number) {
    this.#unfinishedBytes = bytes;
    this.#admitWaiting();
  }

  /** Of the objects: bytes of those that are in the archive alone, which take no room here. */
  get evictedBytes(): number {
    return this.#evictedBytes;
  }

  set evictedBytes(bytes: number) {
    this.#evictedBytes = bytes;
    this.#admitWaiting();
  }

  /** Bytes of those that are here again, while they are not whole. */
  get fetchedBytes(): number {
    return this.#fetchedBytes;
  }

  set fetchedBytes(bytes: number) {
    this.#fetchedBytes = bytes;
    this.#admitWaiting();
  }

  /** Audio of other nodes came here, or went. Throws FETCHES_EXHAUSTED if it has no room. */
  reserveFetched(bytes: number): void {
    if (bytes > 0 && this.freeBytes < bytes) throw new WavecacheError("FETCHES_EXHAUSTED");
    this.fetchedBytes += bytes;
  }

  /** Bytes that were admitted so far, and those of them that were admitted in the last moments. */
  get admitted(): { bytes: number; latelyBytes: number } {
    return { bytes: this.#admittedBytes, latelyBytes: this.#admittedLately.bytes };
  }

  /**
   * The disk was measured: it takes so many bytes before a policy of retention wants them free. Of what was admitted,
   * `unwrittenBytes` may have been on their way to the disk.
   */
  measuredDiskRoom(bytes: number, unwrittenBytes: number): void {
    this.#diskRoomBytes = bytes - this.#waitingBytes - unwrittenBytes;
    this.#admitWaiting();
  }

  /** Bytes of all streams, wherever they are. */
  get storedBytes(): number {
    return this.#objectBytes + this.#unfinishedBytes;
  }

  /** Bytes here. */
  get cacheBytes(): number {
    return this.storedBytes - this.#evictedBytes + this.#fetchedBytes;
  }

  /** Bytes that have room here. */
  get freeBytes(): number {
    return -this.#excessBytes(0);
  }

  /** Accepted bytes that wait for room. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Throws STREAM_TOO_LARGE or CACHE_FULL for a new stream of `size`; undefined asks for room for a single byte. */
  checkStart(size: number | undefined): void {
    this.checkSize(size);
    if (!this.#canHaveRoom(size ?? 1)) throw new WavecacheError("CACHE_FULL");
  }

  /** Throws STREAM_TOO_LARGE for a stream that could never be finished. */
  checkSize(size: number | undefined): void {
    if ((size ?? 0) > this.#limits.maxStreamBytes) throw new WavecacheError("STREAM_TOO_LARGE");
  }

  /** Returns why a stream of `streamBytes` may not take `moreBytes`, or undefined if it may. */
  refuseWrite(streamBytes: number, moreBytes: number): WavecacheError | undefined {
    if (streamBytes + moreBytes > this.#limits.maxStreamBytes) return new WavecacheError("STREAM_TOO_LARGE");
    return this.#canHaveRoom(moreBytes) ? undefined : new WavecacheError("CACHE_FULL");
  }

  /**
   * Counts bytes of an upload. Undefined if they have room. Otherwise they must not be written yet: resolves with true
   * once they may, or with false if there is no room in time.
   */
  accept(bytes: number): Promise<boolean> | undefined {
    this.#unfinishedBytes += bytes;
    this.#diskRoomBytes -= bytes;
    if (this.#waiting.size > 0 || this.#excessBytes(0) > 0) return this.#wait(bytes);
    this.#admit(bytes);
    return undefined;
  }

  #admit(bytes: number): void {
    this.#admittedBytes += bytes;
    this.#admittedLately.add(bytes);
  }

  #wait(bytes: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => this.#settle(waiting, false), roomWaitMs);
    const waiting = { bytes, resolve, timer };
    this.#waiting.add(waiting);
    this.#waitingBytes += bytes;
    return promise;
  }

  /** Those that came first get what room there is. */
  #admitWaiting(): void {
    for (const waiting of this.#waiting) {
      if (this.#excessBytes(waiting.bytes - this.#waitingBytes) > 0) return;
      this.#settle(waiting, true);
    }
  }

  #settle(waiting: Waiting, hasRoom: boolean): void {
    clearTimeout(waiting.timer);
    this.#waiting.delete(waiting);
    this.#waitingBytes -= waiting.bytes;
    if (hasRoom) this.#admit(waiting.bytes);
    else this.#diskRoomBytes += waiting.bytes;
    waiting.resolve(hasRoom);
  }

  /** Streams that are not in use make room for uploads in progress. */
  #canHaveRoom(bytes: number): boolean {
    const excessBytes = this.#excessBytes(bytes);
    return excessBytes <= 0 || this.#reclaimer.reclaim(excessBytes, bytes);
  }

  /** What is too much with so many bytes more. */
  #excessBytes(bytes: number): number {
    return Math.max(this.cacheBytes + bytes - this.#limits.maxCacheBytes, bytes - this.#diskRoomBytes);
  }
}
