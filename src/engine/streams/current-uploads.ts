/** The uploads in progress: begins them, lets one connection take over what another one had, and ends them all. */
import { randomBytes } from "node:crypto";
import { WavecacheError } from "../../base/errors.ts";
import { withSize, type StreamMetadata } from "../../store/streams/metadata.ts";
import type { StreamQuota } from "./stream-quota.ts";
import { type Continuation, type UploadStorage } from "./upload-storage.ts";
import { Upload, type UploadOwner } from "./upload.ts";

/** What a client says about the stream that it uploads. */
export interface NewStream {
  metadata?: StreamMetadata | undefined;
  /** Bytes that the whole stream will have. */
  size?: number | undefined;
}

export interface CurrentUploadsHost {
  readonly quota: StreamQuota;
  /** Throws if no upload of this id may begin now. */
  checkId(streamId: string): void;
  /** Whoever has read audio of the stream has read what a new upload replaces. */
  replaced(streamId: string): void;
  /** The stream is uploaded here now. */
  begun(streamId: string): void;
  /** Nobody uploads the stream any more. */
  ended(streamId: string): void;
}

export class CurrentUploads {
  readonly #host: CurrentUploadsHost;
  readonly #storage: UploadStorage;
  readonly #all = new Map<string, Upload>();
  /** File names of this process's uploads begin with it: no other run's files do. */
  readonly keyPrefix = randomBytes(4).toString("hex");

  constructor(storage: UploadStorage, host: CurrentUploadsHost) {
    this.#storage = storage;
    this.#host = host;
  }

  /** By the ids of their streams. */
  get all(): ReadonlyMap<string, Upload> {
    return this.#all;
  }

  /** Starts a new stream. Throws what can be refused at once; a later refusal rejects `ready` of the upload. */
  start(streamId: string, owner: UploadOwner, stream: NewStream = {}): Upload {
    const { quota } = this.#host;
    this.#host.checkId(streamId);
    this.#storage.admission.checkStart(stream.size);
    if (this.#all.has(streamId)) throw new WavecacheError("STREAM_EXISTS");
    quota.checkNew(streamId);
    quota.checkUpload(this.#all.size);
    const metadata = withSize(stream.metadata, stream.size);
    const upload = new Upload(streamId, metadata, owner, this.#storage);
    this.#all.set(streamId, upload);
    const key = this.newKey();
    upload.start(key, this.#storage.reserve(upload, key, stream.size));
    return upload;
  }

  /** Continues what there is of a stream, and evicts its current upload. */
  resume(
    streamId: string,
    owner: UploadOwner,
    { metadata: described, size }: NewStream,
    how: Continuation,
  ): Upload {
    const metadata = withSize(described, size);
    const { admission } = this.#storage;
    this.#host.checkId(streamId);
    admission.checkSize(size);
    // How much of the size is missing is not known yet. What reopens a stream may only remove it.
    if (how !== "reopen") admission.checkStart(undefined);
    const previous = this.#all.get(streamId);
    if (previous === undefined) this.#host.quota.checkUpload(this.#all.size);
    const upload = new Upload(streamId, metadata, owner, this.#storage);
    this.#all.set(streamId, upload);
    previous?.evict(new WavecacheError("STREAM_TAKEN_OVER"));
    this.#host.begun(streamId);
    const key = this.newKey();
    upload.resume(key, this.#storage.findUnfinished(upload, key, size, previous, how));
    if (how === "restart") this.#host.replaced(streamId);
    return upload;
  }

  /** Ends the upload of a stream, if there is one, for a node that continues it. Resolves once nothing of it runs here. */
  async giveUp(streamId: string): Promise<void> {
    const upload = this.#all.get(streamId);
    upload?.evict(new WavecacheError("STREAM_TAKEN_OVER"));
    await upload?.over;
  }

  /** The upload holds neither its id nor its file any more. */
  release(upload: Upload): void {
    // A resume may have replaced the upload already.
    if (this.#all.get(upload.streamId) !== upload) return;
    this.#all.delete(upload.streamId);
    this.#host.ended(upload.streamId);
  }

  /** What uploads of a lost store still send would go into files that no path leads to. */
  fail(error: WavecacheError): void {
    for (const upload of this.#all.values()) upload.failed(error);
  }

  /** Waits for uploads that are finishing, and keeps the others for a resume. */
  async leave(reason: WavecacheError): Promise<void> {
    const uploads = [...this.#all.values()];
    for (const upload of uploads) upload.leave(reason);
    await Promise.all(uploads.map((upload) => upload.over));
  }

  /** Makes a unique file name for incoming/. */
  newKey(): string {
    return `${this.keyPrefix}-${randomBytes(8).toString("hex")}`;
  }
}
