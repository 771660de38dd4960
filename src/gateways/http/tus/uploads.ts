/**
 * Uploads over tus: the same streams as those of the other protocols, so that one may begin what another finishes. Each
 * request takes the upload over from the connection that had it.
 *
 * A stream is finished by the request that brings its last byte. If a crash or a lost connection comes between that byte
 * and the commit, the next HEAD finishes it: the client learns that nothing is missing, and sends no more.
 */
import { ParameterError, WavecacheError } from "../../../base/errors.ts";
import { httpIdleSeconds } from "../../../base/limits/connections.ts";
import { isStreamId } from "../../../base/ids/stream-id.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import type { Readable } from "../../../engine/streams/readable-streams.ts";
import type { NewStream } from "../../../engine/streams/current-uploads.ts";
import type { UploadOwner } from "../../../engine/streams/upload.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import {
  type AudioPieces,
  bodyPieces,
  BodyUpload,
  type BodyUploadOptions,
  type OpenUpload,
} from "../upload/body-upload.ts";
import { IdleUploads, SharedUpload } from "./idle-uploads.ts";

/** What tus needs of the engine. */
export interface TusStreams {
  startUpload(streamId: string, owner: UploadOwner, stream: NewStream): OpenUpload;
  /** Resumes a stream that exists: otherwise `ready` of the upload rejects with STREAM_UNKNOWN. */
  reopenUpload(streamId: string, owner: UploadOwner): OpenUpload;
  /** An unfinished stream resolves once `wantedBytes` of what it received are readable. Throws STREAM_UNKNOWN. */
  locate(streamId: string, wantedBytes: number): Promise<Readable>;
  find(streamId: string): Promise<StreamRow | null>;
  /** Rejects with STREAM_UNFINISHED while the stream is uploaded. */
  remove(streamId: string): Promise<void>;
  readonly uploadLimits: { readonly maxStreamBytes: number; readonly incompleteTtlSeconds: number };
}

/** The body of a request that continues an upload. */
export interface Chunk {
  pieces: AudioPieces;
  /** Undefined if only its end will tell. */
  bytes: number | undefined;
}

/** How far an upload is after a request. */
export interface Progress {
  offset: number;
  isFinished: boolean;
}

type Described = Pick<Readable, "size" | "finishedAt" | "metadata">;

const elsewhere: ReadonlySet<string> = new Set(["AUDIO_ELSEWHERE", "NODE_UNREACHABLE"]);

export const noChunk: Chunk = { pieces: bodyPieces(null), bytes: 0 };

export class TusUploads {
  readonly #streams: TusStreams;
  readonly #idle = new IdleUploads();

  constructor(streams: TusStreams) {
    this.#streams = streams;
  }

  get maxBytes(): number {
    return this.#streams.uploadLimits.maxStreamBytes;
  }

  /** When an upload that is interrupted now will be removed, in milliseconds since 1970. */
  get expiresAt(): number {
    return sharedNow() + this.#streams.uploadLimits.incompleteTtlSeconds * 1000;
  }

  /** Resolves once the stream and its first audio are durable. */
  async create(
    streamId: string,
    stream: NewStream,
    chunk: Chunk,
    options: BodyUploadOptions,
  ): Promise<Progress> {
    const shared = new SharedUpload(
      (owner) => this.#streams.startUpload(streamId, owner, stream),
      ownerOf(options),
    );
    return await this.#receive(shared, chunk, options);
  }

  /** Appends to a stream; `length` declares its size. Resolves once the audio is durable. */
  async append(
    streamId: string,
    { offset, length }: { offset: number; length: number | undefined },
    chunk: Chunk,
    options: BodyUploadOptions,
  ): Promise<Progress> {
    const shared = this.#idle.take(streamId) ?? this.#reopen(streamId, ownerOf(options));
    return await this.#receive(shared, chunk, options, async (upload, kept) => {
      if (offset !== kept) throw new WavecacheError("OFFSET_WRONG");
      if (length !== undefined && upload.finishing === undefined) await declare(upload, kept, length);
    });
  }

  /** What can be recovered of a stream after a crash. Finishes one that lacks nothing but that. */
  async describe(streamId: string, options: BodyUploadOptions): Promise<Described> {
    const found = await this.#locate(streamId, options);
    if (found.finishedAt !== undefined || found.size !== found.metadata.declaredSize) return found;
    await this.#receive(this.#reopen(streamId, ownerOf(options)), noChunk, options);
    return await this.#streams.locate(streamId, Number.POSITIVE_INFINITY);
  }

  /**
   * An upload of another node, which may be gone, is brought here: its client goes on here. What has ended there needs no
   * more than its row.
   */
  async #locate(streamId: string, options: BodyUploadOptions): Promise<Described> {
    try {
      return await this.#streams.locate(streamId, Number.POSITIVE_INFINITY);
    } catch (error) {
      if (!(error instanceof WavecacheError) || !elsewhere.has(error.code)) throw error;
      const row = await this.#streams.find(streamId);
      if (row !== null && row.finishedAt !== null) return { ...row, finishedAt: row.finishedAt };
      await this.#receive(this.#reopen(streamId, ownerOf(options)), noChunk, options);
      return await this.#streams.locate(streamId, Number.POSITIVE_INFINITY);
    }
  }

  /** Removes a stream, finished or not. */
  async remove(streamId: string): Promise<void> {
    try {
      await this.#streams.remove(streamId);
    } catch (error) {
      if (!(error instanceof WavecacheError) || error.code !== "STREAM_UNFINISHED") throw error;
      await this.#discard(streamId);
    }
  }

  /** A client that aborts its upload may be faster than the end of its connection. */
  async #discard(streamId: string): Promise<void> {
    const { upload } = this.#idle.take(streamId) ?? this.#reopen(streamId, {});
    await upload.ready;
    if (upload.finishing !== undefined) return await this.#streams.remove(streamId);
    upload.discard();
    await upload.over;
  }

  #reopen(streamId: string, owner: Pick<UploadOwner, "account" | "context">): SharedUpload {
    if (!isStreamId(streamId)) throw new WavecacheError("STREAM_UNKNOWN");
    return new SharedUpload((shared) => this.#streams.reopenUpload(streamId, shared), owner);
  }

  /** Appends a chunk to an upload that passes `check`, and finishes the stream if that was all. */
  async #receive(
    shared: SharedUpload,
    chunk: Chunk,
    options: BodyUploadOptions,
    check?: (upload: OpenUpload, kept: number) => Promise<void>,
  ): Promise<Progress> {
    const { usage } = options.principal;
    const give = (owner: UploadOwner) => usage.openUpload(shared.upload.streamId, () => shared.giveTo(owner));
    const body = new BodyUpload(give, options);
    const { upload } = body;
    try {
      const kept = await keptBytes(upload);
      await check?.(upload, kept);
      if (upload.finishing !== undefined) return await nothingMore(kept, chunk);
      await body.receive(within(chunk, missingBytes(upload, kept)));
      return await this.#makeDurable(shared, body);
    } catch (error) {
      await body.keep();
      throw error;
    } finally {
      options.connection.setIdleSeconds(httpIdleSeconds);
    }
  }

  async #makeDurable(shared: SharedUpload, body: BodyUpload): Promise<Progress> {
    const { upload } = body;
    const offset = upload.receivedBytes;
    const isFinished = offset === upload.metadata.declaredSize;
    if (isFinished) await body.finish();
    else await upload.checkpoint();
    // An upload without audio costs nothing to open again.
    if (!isFinished && offset > 0) this.#idle.add(shared);
    else await body.keep();
    return { offset, isFinished };
  }
}

/** Once the upload is ready. Only a finished stream has no bytes of an upload. */
async function keptBytes(upload: OpenUpload): Promise<number> {
  const kept = await upload.ready;
  return upload.finishing === undefined ? upload.receivedBytes : kept;
}

/** A client may ask again for what it has missed the answer to. */
async function nothingMore(offset: number, { pieces }: Chunk): Promise<Progress> {
  if ((await pieces.next()) !== undefined) throw new WavecacheError("STREAM_FINISHED");
  return { offset, isFinished: true };
}

async function declare(upload: OpenUpload, kept: number, length: number): Promise<void> {
  const { declaredSize } = upload.metadata;
  if (declaredSize === length) return;
  if (declaredSize !== undefined) throw new ParameterError("Upload-Length", "the upload has another length");
  if (length < kept) throw new ParameterError("Upload-Length", "the upload is longer already");
  await upload.declareSize(length);
}

function missingBytes({ metadata }: OpenUpload, kept: number): number {
  return (metadata.declaredSize ?? Number.POSITIVE_INFINITY) - kept;
}

/** The pieces of a chunk that has no more than `maxBytes`. Throws LENGTH_EXCEEDED, or rejects with it. */
function within({ pieces, bytes }: Chunk, maxBytes: number): AudioPieces {
  if (bytes !== undefined && bytes > maxBytes) throw new WavecacheError("LENGTH_EXCEEDED");
  let left = maxBytes;
  return {
    async next() {
      const piece = await pieces.next();
      left -= piece?.length ?? 0;
      if (left < 0) throw new WavecacheError("LENGTH_EXCEEDED");
      return piece;
    },
    cancel: () => pieces.cancel(),
  };
}

function ownerOf({ principal, connection }: BodyUploadOptions): Pick<UploadOwner, "account" | "context"> {
  return { account: principal.usage.account, context: connection.context };
}
