/**
 * Uploads that stay open for a moment after a request. To open one again takes a hash of all that it has: a client that
 * sends a long file in many short requests would wait for the square of its length.
 */
import { WavecacheError } from "../../../base/errors.ts";
import { idleUploadMs, maxIdleUploads } from "../../../base/limits/tus.ts";
import type { Upload, UploadOwner } from "../../../engine/streams/upload.ts";
import type { OpenUpload } from "../upload/body-upload.ts";

/** An upload that belongs to one request after the other. */
export class SharedUpload implements UploadOwner {
  readonly upload: OpenUpload;
  readonly account: UploadOwner["account"];
  #owner: UploadOwner | undefined;
  /** The last request that the upload belonged to. */
  #context: UploadOwner["context"];
  /** Set while there is backpressure, which may have begun between two requests. */
  #held: Upload | undefined;

  /** What is uploaded counts for `account`, whoever sends the rest of it. */
  constructor(
    open: (owner: UploadOwner) => OpenUpload,
    { account, context }: Pick<UploadOwner, "account" | "context">,
  ) {
    this.account = account;
    this.#context = context;
    this.upload = open(this);
  }

  get sender(): string {
    return this.#owner?.sender ?? "";
  }

  get context(): UploadOwner["context"] {
    return this.#context;
  }

  /** The upload belongs to `owner` from now on. */
  giveTo(owner: UploadOwner | undefined): OpenUpload {
    this.#owner = owner;
    this.#context = owner?.context ?? this.#context;
    if (this.#held !== undefined) owner?.uploadHolds(this.#held);
    return this.upload;
  }

  uploadHolds(upload: Upload): void {
    this.#held = upload;
    this.#owner?.uploadHolds(upload);
  }

  uploadHasRoom(upload: Upload): void {
    this.#held = undefined;
    this.#owner?.uploadHasRoom(upload);
  }

  /** Between two requests nobody waits for the upload: the next one finds what it has kept. */
  uploadFailed(upload: Upload, error: WavecacheError): void {
    this.#owner?.uploadFailed(upload, error);
  }
}

interface IdleUpload {
  shared: SharedUpload;
  timer: Timer;
}

export class IdleUploads {
  readonly #idleMs: number;
  /** By the ids of their streams, longest idle first. */
  readonly #idle = new Map<string, IdleUpload>();

  constructor(idleMs = idleUploadMs) {
    this.#idleMs = idleMs;
  }

  /** Takes an upload out; undefined if none of this stream is idle. */
  take(streamId: string): SharedUpload | undefined {
    const found = this.#idle.get(streamId);
    if (found === undefined) return undefined;
    clearTimeout(found.timer);
    this.#idle.delete(streamId);
    return found.shared;
  }

  /** Keeps an upload, whose audio is durable, for the next request. */
  add(shared: SharedUpload): void {
    const { upload } = shared;
    const { streamId } = upload;
    shared.giveTo(undefined);
    if (this.#idle.size >= maxIdleUploads) this.#leave(this.#idle.keys().next().value!);
    const idle = { shared, timer: setTimeout(() => this.#leave(streamId), this.#idleMs) };
    this.#idle.set(streamId, idle);
    // Another connection may resume the stream, and a server that shuts down leaves all uploads.
    void upload.over.then(() => {
      if (this.#idle.get(streamId) === idle) this.take(streamId);
    });
  }

  #leave(streamId: string): void {
    this.take(streamId)?.upload.leave(new WavecacheError("STREAM_UNFINISHED"));
  }
}
