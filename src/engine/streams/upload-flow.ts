/**
 * The audio path of one upload: gateway --> queue --> lane --> file of the writer --> disk.
 *
 * Audio, fences and the seal reach the writer in the order of their calls. Three things stop the path: a full lane, a
 * disk that is `maxUnflushedBytes` behind, and a cache without room for accepted audio. Audio that arrives then waits in the queue, and the sender has to pause.
 */
import { detach } from "../../base/detach.ts";
import { toWavecacheError, type WavecacheError } from "../../base/errors.ts";
import { flushBytes, maxUnflushedBytes } from "../../base/limits/streams.ts";
import type { Sealed } from "../../lane/messages/streams.ts";
import type { UploadSlot } from "../../pool/upload-slot.ts";

export interface UploadFlowHost {
  /** Syncs the file in the background. */
  flush(): Promise<unknown>;
  flushFailed(error: WavecacheError): void;
  /** The queue is empty: the sender may continue. */
  hasRoom(): void;
}

interface QueuedAudio {
  audio: Uint8Array;
  /** The lane has the bytes before this offset. */
  from: number;
}

export class UploadFlow {
  readonly #host: UploadFlowHost;
  readonly #opened = Promise.withResolvers<number>();
  readonly #sealed = Promise.withResolvers<Sealed>();
  readonly #slotFreed = Promise.withResolvers<void>();
  #slot: UploadSlot | undefined;
  #queue: (QueuedAudio | "fence" | "seal")[] = [];
  #fences: PromiseWithResolvers<number>[] = [];
  #isLaneFull = false;
  /** How many pieces of audio wait for room in the cache. */
  #holds = 0;
  #isClosing = false;
  #isAborted = false;
  #flushing: Promise<void> | undefined;
  #receivedBytes = 0;
  /** Of the received bytes, those that earlier connections sent. */
  #keptBytes = 0;
  #writtenBytes = 0;
  /** Bytes from the beginning of the file that are on the disk. */
  #durableBytes = 0;

  constructor(host: UploadFlowHost) {
    this.#host = host;
    // The upload reports a failure itself; these may reject while nothing awaits them.
    this.#opened.promise.catch(reportedByUpload);
    this.#sealed.promise.catch(reportedByUpload);
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Resolves with the bytes that were in the file when the writer opened it. */
  get opened(): Promise<number> {
    return this.#opened.promise;
  }

  /** Resolves once the writer has sealed the file. */
  get sealed(): Promise<Sealed> {
    return this.#sealed.promise;
  }

  /** The background sync that runs now. */
  get flushing(): Promise<void> | undefined {
    return this.#flushing;
  }

  /** Sends what waits through this slot, and continues with it. */
  connect(slot: UploadSlot): void {
    this.#slot = slot;
    this.#resume();
  }

  /** Takes ownership of the audio and its whole buffer. False: the sender has to pause until `hasRoom`. */
  write(audio: Uint8Array): boolean {
    this.#receivedBytes += audio.length;
    this.#flushIfDue();
    const from = this.#canSend() ? this.#slot!.write(audio, 0) : 0;
    if (from < audio.length) {
      this.#queue.push({ audio, from });
      return false;
    }
    detach(audio);
    return true;
  }

  /**
   * Resolves with the bytes that the file is known to have: at least `wantedBytes`, if that many were received before
   * this call.
   */
  async readable(wantedBytes: number): Promise<number> {
    if (this.#writtenBytes >= Math.min(wantedBytes, this.#receivedBytes)) return this.#writtenBytes;
    const fence = Promise.withResolvers<number>();
    this.#fences.push(fence);
    this.#send("fence");
    return fence.promise;
  }

  /** Nothing that comes from here on reaches the writer before as many calls of `release`. */
  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0 && !this.#isAborted && this.#slot !== undefined) this.#resume();
  }

  /** Ends the audio. */
  seal(): void {
    this.#send("seal");
  }

  /** Closes the file; resolves once the writer has freed the slot, or at once if no writer has one. */
  async close(discard: boolean): Promise<void> {
    if (this.#slot === undefined) return;
    if (!this.#isClosing) this.#slot.close(discard);
    this.#isClosing = true;
    await this.#slotFreed.promise;
  }

  /** Drops what waits, and rejects whatever is still awaited. */
  abort(error: WavecacheError): void {
    this.#isAborted = true;
    this.#queue = [];
    this.#opened.reject(error);
    this.#sealed.reject(error);
    for (const fence of this.#fences.splice(0)) fence.reject(error);
  }

  /** The file of an earlier connection has this many bytes. Counts them once, however often it is called. */
  countKept(bytes: number): void {
    this.#receivedBytes += bytes - this.#keptBytes;
    this.#keptBytes = bytes;
    this.#durableBytes = Math.max(this.#durableBytes, bytes);
  }

  countDurable(bytes: number): void {
    this.#durableBytes = Math.max(this.#durableBytes, bytes);
  }

  onOpened(keptBytes: number): void {
    this.countKept(keptBytes);
    this.#writtenBytes = keptBytes;
    this.#opened.resolve(keptBytes);
  }

  onFenced(bytes: number): void {
    this.#writtenBytes = Math.max(this.#writtenBytes, bytes);
    // Empty after `abort`, which has rejected the fences.
    this.#fences.shift()?.resolve(bytes);
  }

  onSealed(sealed: Sealed): void {
    this.#sealed.resolve(sealed);
  }

  /** The slot is free; the file keeps `bytes`, which is unknown if the writer died. */
  onSlotFreed(bytes: number | undefined): void {
    this.#writtenBytes = bytes ?? this.#writtenBytes;
    this.#slotFreed.resolve();
  }

  onLaneFull(): void {
    this.#isLaneFull = true;
  }

  onLaneRoom(): void {
    this.#isLaneFull = false;
    this.#resume();
  }

  #canSend(): boolean {
    return this.#slot !== undefined && this.#queue.length === 0 && !this.#isBlocked();
  }

  #isBlocked(): boolean {
    return this.#holds > 0 || this.#isLaneFull || this.#isDiskBehind();
  }

  #isDiskBehind(): boolean {
    return this.#flushing !== undefined && this.#receivedBytes - this.#durableBytes > maxUnflushedBytes;
  }

  #resume(): void {
    if (this.#isBlocked()) return;
    this.#sendQueue();
    if (this.#queue.length === 0) this.#host.hasRoom();
  }

  #send(what: "fence" | "seal"): void {
    if (!this.#canSend()) this.#queue.push(what);
    else if (what === "fence") this.#slot!.fence();
    else this.#slot!.seal();
  }

  #sendQueue(): void {
    while (this.#queue.length > 0) {
      const next = this.#queue[0]!;
      if (next === "fence") this.#slot!.fence();
      else if (next === "seal") this.#slot!.seal();
      else {
        next.from += this.#slot!.write(next.audio, next.from);
        if (next.from < next.audio.length) return;
        detach(next.audio);
      }
      this.#queue.shift();
    }
  }

  /** One sync at a time: the next one covers what arrives during this one. */
  #flushIfDue(): void {
    if (this.#flushing !== undefined || this.#slot === undefined) return;
    if (this.#receivedBytes - this.#durableBytes >= flushBytes) this.#flushing = this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = this.#receivedBytes;
    try {
      await this.#host.flush();
      this.countDurable(bytes);
    } catch (error) {
      this.#host.flushFailed(toWavecacheError(error));
    }
    this.#flushing = undefined;
    if (!this.#isAborted) this.#resume();
  }
}

function reportedByUpload(): void {}
