/**
 * One upload, from START until it has a receipt or ends without one; `upload-state.ts` has its states.
 *
 * A writer opens the file while the keeper checks whether the id is free, so audio may arrive before the answer. If the
 * id turns out to be in use, the file is removed.
 */
import type { RequestContext } from "../../base/request-context.ts";
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import type { Kept, Sealed } from "../../lane/messages/streams.ts";
import type { UploadEvents } from "../../pool/upload-slot.ts";
import type { Account } from "../../store/streams/accounts.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import type { ResumeAnswer } from "../../store/keeper-calls.ts";
import { describeStream, type StreamMetadata } from "../../store/streams/metadata.ts";
import { isOtherDigest, receiptOf, refuseOtherDigest } from "./receipt.ts";
import { UploadFlow } from "./upload-flow.ts";
import type { UploadHost } from "./upload-host.ts";
import { endableStates, type EndReason, type Receipt, type UploadState } from "./upload-state.ts";

/** The session that receives the audio from a client. */
export interface UploadOwner {
  /** Who sends the audio, by the name of the principal: senders take turns where there is not room for all. */
  readonly sender?: string;
  /** The token that the stream counts for. */
  readonly account?: Account | undefined;
  /** The request or the connection that the audio comes by. */
  readonly context?: RequestContext | undefined;
  /** Backpressure caused by other uploads: pause until `uploadHasRoom`, as if `write` had returned false. */
  uploadHolds(upload: Upload): void;
  /** The sender may continue after `uploadHolds`, or after `write` has returned false. */
  uploadHasRoom(upload: Upload): void;
  /** An open upload failed by itself. Further writes are ignored, `finish` rejects with the same error. */
  uploadFailed(upload: Upload, error: WavecacheError): void;
}

export class Upload implements UploadEvents {
  readonly streamId: string;
  readonly #owner: UploadOwner;
  readonly #host: UploadHost;
  readonly #flow: UploadFlow;
  readonly #over = Promise.withResolvers<void>();
  #state: UploadState = { name: "starting" };
  /** Whether the catalog has an entry for this upload, once it has answered. */
  #isEntered: Promise<boolean> = Promise.resolve(false);
  #ready: Promise<number>;
  #finish: Promise<Receipt> | undefined;
  /** All bytes of the stream are of this upload. */
  #isNew = false;
  #key = "";
  /** Received bytes at which the host hears of them. */
  #grewAt = 0;
  #keptSha256 = "";
  #metadata: StreamMetadata;

  constructor(streamId: string, metadata: StreamMetadata, owner: UploadOwner, host: UploadHost) {
    this.streamId = streamId;
    this.#metadata = metadata;
    this.#owner = owner;
    this.#host = host;
    this.#flow = new UploadFlow({
      flush: () => host.flush(this),
      // The kernel reports a failed write-back once: the sync of the commit would succeed without the data.
      flushFailed: (error) => this.#end("failed", error),
      hasRoom: () => owner.uploadHasRoom(this),
    });
    this.#ready = this.#flow.opened;
  }

  get sender(): string {
    return this.#owner.sender ?? "";
  }

  get account(): Account | undefined {
    return this.#owner.account;
  }

  get context(): RequestContext | undefined {
    return this.#owner.context;
  }

  /** Resolves with the bytes that the file already has, once the id is ours and the file is open. */
  get ready(): Promise<number> {
    return this.#ready;
  }

  /** SHA-256 of the bytes that `ready` resolved with, in lower-case hex; empty before. */
  get keptSha256(): string {
    return this.#keptSha256;
  }

  /** Resolves when nothing of this upload runs any more, however it ended. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Name of the file in incoming/. */
  get key(): string {
    return this.#key;
  }

  /** Bytes received, including those of earlier connections. */
  get receivedBytes(): number {
    return this.#flow.receivedBytes;
  }

  /** Bytes that the file is known to have; once the upload is over, the bytes that it keeps. */
  get writtenBytes(): number {
    return this.#flow.writtenBytes;
  }

  /** What the creator of the stream said about it. A resumed upload has it once it is ready. */
  get metadata(): StreamMetadata {
    return this.#metadata;
  }

  /** The catalog must not keep the stream. */
  get isDiscarded(): boolean {
    if (this.#state.name !== "ended") return false;
    return this.#state.reason === "discarded" || this.#state.reason === "tooLarge";
  }

  /** The promise of `finish`, once that was called, or if the stream was finished before. */
  get finishing(): Promise<Receipt> | undefined {
    return this.#finish;
  }

  /** Starts a new stream while `reservation` asks whether its id is free. */
  start(key: string, reservation: Promise<unknown>): void {
    this.#isNew = true;
    this.#begin(reservation, this.#flow.opened);
    this.#open(key, false);
  }

  /** Continues what the keeper finds under the id. If it finds nothing, or discards it, `key` names the new file. */
  resume(key: string, answer: Promise<ResumeAnswer>): void {
    const opened = answer.then((found) => this.#resumeFrom(found, key));
    this.#begin(answer, opened);
  }

  /**
   * Takes ownership of the audio and its whole buffer: the caller must not touch either again. False asks the sender to
   * pause until `uploadHasRoom`; the audio is accepted either way.
   */
  write(audio: Uint8Array): boolean {
    const { name } = this.#state;
    if (audio.length === 0 || name === "ended") return true;
    if (name !== "open" && name !== "starting") {
      this.#end("late", new WavecacheError("STREAM_FINISHED"));
      return true;
    }
    const { admission } = this.#host;
    const refusal = this.#host.refuseWrite(this, audio.length);
    if (refusal !== undefined) {
      this.#end(this.#isNew && refusal.code === "STREAM_TOO_LARGE" ? "tooLarge" : "failed", refusal);
      return true;
    }
    const room = admission.accept(audio.length);
    if (room !== undefined) void this.#waitForRoom(room);
    const hasRoom = this.#flow.write(audio);
    if (this.#flow.receivedBytes >= this.#grewAt) this.#grewAt = this.#host.grew(this);
    return hasRoom;
  }

  /**
   * Ends the audio; resolves once the stream is durable, and archived if acknowledgements promise that. With the sender's
   * `sha256`, other audio rejects with DIGEST_WRONG: it is never committed, and the stream stays unfinished. Rejects with
   * ARCHIVE_UNAVAILABLE if only the archive fails: the stream is finished then.
   */
  async finish(sha256?: string): Promise<Receipt> {
    this.#finish ??= this.#finishOnce(sha256);
    const receipt = await this.#finish;
    // A stream that was finished before the upload resumed it was not checked yet.
    refuseOtherDigest(receipt, sha256);
    await this.#host.archived(receipt.sha256);
    return receipt;
  }

  /**
   * Resolves with the bytes that can be read from the file: at least `wantedBytes`, if that many were received before
   * this call.
   */
  async readable(wantedBytes: number): Promise<number> {
    this.#throwIfEnded();
    return await this.#flow.readable(wantedBytes);
  }

  /**
   * Makes durable what was received before this call; resolves with the number of durable bytes. It may not resolve
   * while the upload finishes, which makes everything durable anyway.
   */
  async checkpoint(): Promise<number> {
    await this.#ready;
    const bytes = await this.readable(this.#flow.receivedBytes);
    try {
      await this.#host.secure(this, bytes);
    } catch (error) {
      // The kernel reports a failed write-back once: the sync of the commit would succeed without the data.
      this.#end("failed", toWavecacheError(error));
      throw error;
    }
    this.#flow.countDurable(bytes);
    return bytes;
  }

  /** Sets the size that the whole stream will have, once the upload is ready. It is durable after the next checkpoint. */
  async declareSize(size: number): Promise<void> {
    this.#host.admission.checkSize(size);
    await this.#ready;
    this.#throwIfEnded();
    await this.#host.declareSize(this, size);
    this.#metadata = { ...this.#metadata, declaredSize: size };
  }

  /** As `leave`, and the stream is removed. */
  discard(): void {
    this.#end("discarded", new WavecacheError("STREAM_UNKNOWN"));
  }

  /** The sender is gone, or the server shuts down. An upload that is finishing continues. */
  leave(error: WavecacheError): void {
    this.#end("left", error);
  }

  /** Another connection resumes this stream. An upload that is finishing continues. */
  evict(error: WavecacheError): void {
    this.#end("evicted", error);
  }

  opened({ size, sha256 }: Kept): void {
    this.#keptSha256 = sha256;
    this.#flow.onOpened(size);
  }

  fenced(bytes: number): void {
    this.#flow.onFenced(bytes);
  }

  sealed(sealed: Sealed): void {
    if (this.#state.name !== "sealing") return;
    this.#state = { name: "sealed" };
    this.#flow.onSealed(sealed);
  }

  failed(error: WavecacheError): void {
    this.#end("failed", error);
  }

  closed(bytes: number): void {
    this.#flow.onSlotFreed(bytes);
  }

  lost(error: WavecacheError): void {
    this.#flow.onSlotFreed(undefined);
    this.#end("lost", error);
  }

  hold(): void {
    this.#flow.onLaneFull();
    const { name } = this.#state;
    if (name === "starting" || name === "open") this.#owner.uploadHolds(this);
  }

  room(): void {
    this.#flow.onLaneRoom();
  }

  /** What is accepted waits in memory, and the sender pauses. */
  async #waitForRoom(room: Promise<boolean>): Promise<void> {
    this.#flow.hold();
    if (await room) this.#flow.release();
    else this.#end("failed", new WavecacheError("CACHE_FULL"));
  }

  #begin(reservation: Promise<unknown>, opened: Promise<number>): void {
    this.#isEntered = reservation.then(
      () => true,
      () => false,
    );
    this.#ready = this.#becomeReady(reservation, opened);
    // The owner also learns of a failure by `finish` or `uploadFailed`, and need not await this.
    this.#ready.catch(reportedElsewhere);
  }

  async #becomeReady(reservation: Promise<unknown>, opened: Promise<number>): Promise<number> {
    try {
      const [keptBytes] = await Promise.all([opened, reservation]);
      this.#throwIfEnded();
      if (this.#state.name === "starting") this.#state = { name: "open" };
      return keptBytes;
    } catch (error) {
      this.#end("refused", toWavecacheError(error));
      // The client may start or resume the id as soon as it learns of the failure: everything has to be over by then.
      await this.#over.promise;
      throw this.#endError ?? error;
    }
  }

  async #resumeFrom(found: ResumeAnswer, newKey: string): Promise<number> {
    this.#throwIfEnded();
    if (found.kind === "finished") return this.#resumeFinished(found.row);
    if (found.kind === "moved") this.#metadata = found.metadata;
    if (found.kind !== "unfinished") {
      this.#isNew = true;
      this.#open(found.kind === "moved" ? found.key : newKey, false);
      return await this.#flow.opened;
    }
    this.#metadata = found.metadata;
    // The catalog counts these bytes as unfinished, so an end before `opened` has to account for them too.
    this.#flow.countKept(found.size);
    this.#open(found.key, true);
    return await this.#flow.opened;
  }

  /** The sender missed the receipt, and gets it again. */
  #resumeFinished(row: StreamRow): number {
    const receipt = receiptOf(row);
    this.#metadata = describeStream(row);
    this.#keptSha256 = receipt.sha256;
    this.#state = { name: "finished", receipt };
    this.#finish ??= Promise.resolve(receipt);
    this.#host.release(this);
    this.#over.resolve();
    if (this.#flow.receivedBytes > 0) this.#refuseEarlyAudio();
    return row.size;
  }

  /** Audio arrived before the stream was known to be finished, and waits in the queue. */
  #refuseEarlyAudio(): void {
    this.#host.admission.unfinishedBytes -= this.#flow.receivedBytes;
    this.#end("late", new WavecacheError("STREAM_FINISHED"));
  }

  #open(key: string, resume: boolean): void {
    this.#key = key;
    if (this.#state.name === "ended") return;
    try {
      this.#flow.connect(this.#host.openSlot(key, resume, this));
    } catch (error) {
      this.#end("failed", toWavecacheError(error));
    }
  }

  async #finishOnce(sha256: string | undefined): Promise<Receipt> {
    try {
      this.#throwIfEnded();
      this.#state = { name: "sealing" };
      this.#flow.seal();
      await this.#ready;
      return this.#storedReceipt ?? (await this.#commit(await this.#sealedFile(sha256)));
    } catch (error) {
      this.#end("uncommitted", toWavecacheError(error));
      await this.#over.promise;
      throw this.#endError ?? error;
    }
  }

  /** The sealed file, closed, once no background sync can fail any more. Throws DIGEST_WRONG. */
  async #sealedFile(sha256: string | undefined): Promise<Sealed> {
    const sealed = await this.#flow.sealed;
    void this.#flow.close(false);
    await this.#flow.flushing;
    if (isOtherDigest(sealed, sha256)) await this.#refuseDigest();
    this.#throwIfEnded();
    return sealed;
  }

  /** Other audio of the declared size is not what was declared: a resume must not take it for complete. */
  async #refuseDigest(): Promise<void> {
    if (this.#metadata.declaredSize !== undefined) await this.#host.declareSize(this, undefined);
    this.#end("failed", new WavecacheError("DIGEST_WRONG"));
  }

  async #commit(sealed: Sealed): Promise<Receipt> {
    this.#state = { name: "committing" };
    const receipt = receiptOf(await this.#host.commit(this, sealed));
    this.#state = { name: "finished", receipt };
    this.#over.resolve();
    return receipt;
  }

  get #storedReceipt(): Receipt | undefined {
    return this.#state.name === "finished" ? this.#state.receipt : undefined;
  }

  get #endError(): WavecacheError | undefined {
    return this.#state.name === "ended" ? this.#state.error : undefined;
  }

  #throwIfEnded(): void {
    if (this.#state.name === "ended") throw this.#state.error;
  }

  /** The one way to end without a receipt. Ignored in a state that this reason does not end. */
  #end(reason: EndReason, error: WavecacheError): void {
    const { name } = this.#state;
    if (name === "ended" || !endableStates[reason].includes(name)) return;
    this.#state = { name: "ended", reason, error };
    this.#flow.abort(error);
    if (name === "finished") this.#finish = undefined;
    else void this.#release();
    // In the other states `ready` or `finish` rejects with the error. An owner that leaves or discards knows of it.
    const isNews = name === "finished" || (name === "open" && reason !== "left" && reason !== "discarded");
    if (isNews) this.#owner.uploadFailed(this, error);
  }

  /** Waits for the catalog's answer first: without an entry the file must not stay. */
  async #release(): Promise<void> {
    const isEntered = await this.#isEntered;
    await this.#flow.close(!isEntered);
    await this.#host.failed(this, isEntered);
    this.#over.resolve();
  }
}

function reportedElsewhere(): void {}
