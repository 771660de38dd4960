/**
 * One upload, from START to STOPPED or until it is left.
 *
 *     starting --> open --> finishing --> finished
 *        |          |           |
 *        '----------+-----------+--> failed            (what was written is kept and can be resumed)
 *
 * Audio may be written from the beginning: a writer opens the file while the keeper looks whether the id is free,
 * and what was written for an id that is not free is thrown away.
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { detach } from "../../base/detach.ts";
import { flushBytes, maxUnflushedBytes } from "../../base/limits/streams.ts";
import type { Sealed } from "../../lane/messages/streams.ts";
import type { UploadEvents, UploadSlot } from "../../pool/upload-slot.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import type { ResumeAnswer } from "../../store/keeper-calls.ts";
import { describeStream, type StreamMetadata } from "../../store/streams/metadata.ts";
import type { Admission } from "./admission.ts";

/** What a finished upload is acknowledged with: size in bytes, SHA-256 in lower-case hex. */
export interface Receipt {
  size: number;
  sha256: string;
}

/** Whoever sends the audio. */
export interface UploadOwner {
  /** Others have filled the way to the disk: it should pause until `uploadHasRoom`, as if `write` had said false. */
  uploadHolds(upload: Upload): void;
  /** `write` said false, or it was held; now it may go on. */
  uploadHasRoom(upload: Upload): void;
  /** An open upload failed by itself. Further writes are ignored, `finish` rejects with the same error. */
  uploadFailed(upload: Upload, error: WavecacheError): void;
}

/** What an upload needs of the engine. */
export interface UploadHost {
  readonly admission: Admission;
  openSlot(key: string, resume: boolean, events: UploadEvents): UploadSlot;
  /** Sends what is in the file to the disk. */
  flush(upload: Upload): Promise<unknown>;
  /** Resolves once these bytes of the file are durable, and that the stream exists. */
  secure(upload: Upload, bytes: number): Promise<void>;
  /** Makes sealed audio durable. */
  commit(upload: Upload, sealed: Sealed): Promise<StreamRow>;
  /** Nothing of the upload is under way any more. */
  release(upload: Upload): void;
  /** The upload failed and has let go of its file; `entered`: the catalog has a row of it. */
  failed(upload: Upload, entered: boolean): Promise<void>;
}

interface HeldAudio {
  audio: Uint8Array;
  from: number;
}

export class Upload implements UploadEvents {
  readonly streamId: string;
  readonly #owner: UploadOwner;
  readonly #host: UploadHost;
  readonly #opened = Promise.withResolvers<number>();
  readonly #sealed = Promise.withResolvers<Sealed>();
  /** The writer has let go of the file, or there never was a way to a writer. */
  readonly #slotFree = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  #entered: Promise<boolean> = Promise.resolve(false);
  #ready: Promise<number> = this.#opened.promise;
  #key = "";
  #line: UploadSlot | undefined;
  /** What the lane could not take yet, in order. */
  #waiting: (HeldAudio | "fence" | "seal")[] = [];
  /** The lane has asked to wait for `room`. */
  #laneIsFull = false;
  #fences: PromiseWithResolvers<number>[] = [];
  #isReady = false;
  #isSealed = false;
  #isCommitting = false;
  #finish: Promise<Receipt> | undefined;
  #failure: WavecacheError | undefined;
  #receivedBytes = 0;
  /** Bytes of the beginning that are on the disk already. */
  #flushedBytes = 0;
  #flushing: Promise<void> | undefined;
  #writtenBytes = 0;
  #metadata: StreamMetadata;
  #isDiscarded = false;

  constructor(streamId: string, metadata: StreamMetadata, owner: UploadOwner, host: UploadHost) {
    this.streamId = streamId;
    this.#metadata = metadata;
    this.#owner = owner;
    this.#host = host;
    // A failure reaches the owner by `ready`, `finish` or `uploadFailed`; nobody need wait for these.
    this.#opened.promise.catch(reportedElsewhere);
    this.#sealed.promise.catch(reportedElsewhere);
  }

  /** Resolves, once the id is ours and the file is open, with the bytes that are in it already. */
  get ready(): Promise<number> {
    return this.#ready;
  }

  /** Resolves when nothing of this upload is under way any more, however it ended. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Name of the file in incoming/. */
  get key(): string {
    return this.#key;
  }

  /** Bytes received, those of earlier connections included. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Bytes that are known to be in the file; once the upload is over, what was kept of it. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** What was said of the stream when it was created: of one that is resumed, known once it is `ready`. */
  get metadata(): StreamMetadata {
    return this.#metadata;
  }

  /** Nothing of it is to be kept. */
  get isDiscarded(): boolean {
    return this.#isDiscarded;
  }

  /** The promise of `finish`, if that was called. */
  get finishing(): Promise<Receipt> | undefined {
    return this.#finish;
  }

  /** Starts a new stream while `reservation` asks whether its id is free. */
  start(key: string, reservation: Promise<unknown>): void {
    this.#begin(reservation);
    this.#open(key, false);
  }

  /** Goes on with whatever the keeper finds under the id; `key` names the file if that is nothing. */
  resume(key: string, answer: Promise<ResumeAnswer>): void {
    this.#begin(
      answer.then((found) => {
        if (found.kind === "finished") return this.#resumeFinished(found.row);
        if (found.kind === "unfinished") this.#metadata = found.metadata;
        this.#open(found.kind === "new" ? key : found.key, found.kind === "unfinished");
      }),
    );
  }

  /**
   * Takes audio over, with the whole buffer that it lies in: nobody may use that any more. False asks the sender to pause until `uploadHasRoom`; the audio is taken either way.
   */
  write(audio: Uint8Array): boolean {
    if (this.#failure !== undefined || audio.length === 0) return true;
    if (this.#finish !== undefined) {
      this.#refuseMore();
      return true;
    }
    const refusal = this.#host.admission.refuseWrite(this.#receivedBytes, audio.length);
    if (refusal !== undefined) {
      this.#fail(refusal);
      return true;
    }
    this.#receivedBytes += audio.length;
    this.#host.admission.unfinishedBytes += audio.length;
    this.#flushIfDue();
    const from = this.#canSend() ? this.#line!.write(audio, 0) : 0;
    if (from < audio.length) {
      this.#waiting.push({ audio: audio, from });
      return false;
    }
    detach(audio);
    return true;
  }

  /** Ends the audio; resolves once the stream is durable. */
  finish(): Promise<Receipt> {
    this.#finish ??= this.#finishOnce();
    return this.#finish;
  }

  /**
   * Resolves with the bytes that can be read of the file: at least `wantedBytes`, if so many were received before
   * this call.
   */
  async readable(wantedBytes: number): Promise<number> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#writtenBytes >= Math.min(wantedBytes, this.#receivedBytes)) return this.#writtenBytes;
    const fence = Promise.withResolvers<number>();
    this.#fences.push(fence);
    this.#send("fence");
    return fence.promise;
  }

  /**
   * Makes durable what was received before this call; resolves with how many bytes of the beginning are. It does not
   * come while the upload finishes: what finishes becomes durable anyway.
   */
  async checkpoint(): Promise<number> {
    await this.#ready;
    const bytes = await this.readable(this.#receivedBytes);
    try {
      await this.#host.secure(this, bytes);
    } catch (error) {
      // The system tells of a failed write-back once: the sync of the commit would not hear of it.
      if (!this.#isCommitting) this.#fail(toWavecacheError(error));
      throw error;
    }
    this.#flushedBytes = Math.max(this.#flushedBytes, bytes);
    return bytes;
  }

  /** As `leave`, and nothing of it is kept. */
  discard(): void {
    if (this.#finish !== undefined || this.#failure !== undefined) return;
    this.#isDiscarded = true;
    this.#end(new WavecacheError("STREAM_UNKNOWN"));
  }

  /** The sender is gone, or the server is going. An upload that is finishing goes on. */
  leave(reason: WavecacheError): void {
    if (this.#finish === undefined) this.#end(reason);
  }

  /** Somebody else goes on with this stream: the owner is told. An upload that is finishing goes on. */
  evict(reason: WavecacheError): void {
    if (this.#finish === undefined) this.#fail(reason);
  }

  opened(keptBytes: number): void {
    this.#receivedBytes += keptBytes;
    this.#flushedBytes = keptBytes;
    this.#writtenBytes = keptBytes;
    this.#opened.resolve(keptBytes);
  }

  fenced(bytes: number): void {
    // Whoever asks after the end is answered with nothing.
    this.#writtenBytes = Math.max(this.#writtenBytes, bytes);
    this.#fences.shift()?.resolve(bytes);
  }

  sealed(sealed: Sealed): void {
    this.#isSealed = true;
    this.#line!.close(false);
    this.#sealed.resolve(sealed);
  }

  failed(error: WavecacheError): void {
    this.#fail(error);
  }

  closed(bytes: number): void {
    this.#writtenBytes = bytes;
    this.#slotFree.resolve();
  }

  lost(error: WavecacheError): void {
    this.#slotFree.resolve();
    if (!this.#isSealed) this.#fail(error);
  }

  hold(): void {
    this.#laneIsFull = true;
    if (this.#failure === undefined && this.#finish === undefined) this.#owner.uploadHolds(this);
  }

  room(): void {
    this.#laneIsFull = false;
    this.#goOn();
  }

  #begin(reservation: Promise<unknown>): void {
    this.#entered = reservation.then(
      () => true,
      (error: unknown) => {
        this.#end(toWavecacheError(error));
        return false;
      },
    );
    this.#ready = this.#whenReady();
    this.#ready.catch(reportedElsewhere);
  }

  async #whenReady(): Promise<number> {
    await this.#entered;
    try {
      const keptBytes = await this.#opened.promise;
      if (this.#failure !== undefined) throw this.#failure;
      this.#isReady = true;
      return keptBytes;
    } catch (error) {
      // Whoever hears of the failure may start or resume the id at once.
      await this.#over.promise;
      throw error;
    }
  }

  #open(key: string, resume: boolean): void {
    this.#key = key;
    if (this.#failure !== undefined) return;
    this.#line = this.#host.openSlot(key, resume, this);
    this.#goOn();
  }

  /** Its acknowledgement was lost on the way: there is nothing to add, and it is acknowledged again. */
  #resumeFinished(row: StreamRow): void {
    this.#metadata = describeStream(row);
    this.#finish = Promise.resolve({ size: row.size, sha256: row.sha256! });
    this.#opened.resolve(row.size);
    this.#host.release(this);
    this.#over.resolve();
  }

  /** Audio behind the end of a finished stream: what it has stays, and its STOP fails. */
  #refuseMore(): void {
    this.#failure = new WavecacheError("STREAM_FINISHED");
    this.#finish = Promise.reject(this.#failure);
    this.#finish.catch(reportedElsewhere);
    this.#owner.uploadFailed(this, this.#failure);
  }

  async #finishOnce(): Promise<Receipt> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      this.#send("seal");
      await this.#ready;
      const sealed = await this.#sealed.promise;
      await this.#flushing;
      if (this.#failure !== undefined) throw this.#failure;
      this.#isCommitting = true;
      const row = await this.#host.commit(this, sealed);
      this.#over.resolve();
      return { size: row.size, sha256: row.sha256! };
    } catch (error) {
      this.#end(toWavecacheError(error));
      await this.#over.promise;
      throw this.#failure;
    }
  }

  #canSend(): boolean {
    return this.#line !== undefined && this.#waiting.length === 0 && !this.#laneIsFull && !this.#isHeld();
  }

  #goOn(): void {
    if (this.#laneIsFull || this.#isHeld()) return;
    this.#sendWaiting();
    if (this.#waiting.length === 0) this.#owner.uploadHasRoom(this);
  }

  /** The disk is so far behind that no more may go into the file. */
  #isHeld(): boolean {
    return this.#flushing !== undefined && this.#receivedBytes - this.#flushedBytes > maxUnflushedBytes;
  }

  /** One flush at a time; what came while one was under way goes with the next. */
  #flushIfDue(): void {
    if (this.#flushing !== undefined || this.#line === undefined) return;
    if (this.#receivedBytes - this.#flushedBytes >= flushBytes) this.#flushing = this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = this.#receivedBytes;
    try {
      await this.#host.flush(this);
      this.#flushedBytes = bytes;
    } catch (error) {
      // The system tells of a failed write-back once: the sync of the commit would not hear of it.
      this.#fail(toWavecacheError(error));
    }
    this.#flushing = undefined;
    if (this.#failure === undefined) this.#goOn();
  }

  #send(what: "fence" | "seal"): void {
    if (!this.#canSend()) this.#waiting.push(what);
    else if (what === "fence") this.#line!.fence();
    else this.#line!.seal();
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0) {
      const next = this.#waiting[0]!;
      if (next === "fence") this.#line!.fence();
      else if (next === "seal") this.#line!.seal();
      else {
        next.from += this.#line!.write(next.audio, next.from);
        if (next.from < next.audio.length) return;
        detach(next.audio);
      }
      this.#waiting.shift();
    }
  }

  /** Ends, and tells the owner unless its START or STOP is answered with the failure anyway. */
  #fail(error: WavecacheError): void {
    if (this.#failure !== undefined) return;
    const tell = this.#isReady && this.#finish === undefined;
    this.#end(error);
    if (tell) this.#owner.uploadFailed(this, error);
  }

  #end(reason: WavecacheError): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#waiting = [];
    this.#opened.reject(reason);
    this.#sealed.reject(reason);
    for (const fence of this.#fences.splice(0)) fence.reject(reason);
    void this.#letGo();
  }

  /** Only once it is known whether the id is ours is it known whether the file stays. */
  async #letGo(): Promise<void> {
    const entered = await this.#entered;
    if (this.#line === undefined) this.#slotFree.resolve();
    else this.#line.close(!entered);
    await this.#slotFree.promise;
    await this.#host.failed(this, entered);
    this.#over.resolve();
  }
}

function reportedElsewhere(): void {}
