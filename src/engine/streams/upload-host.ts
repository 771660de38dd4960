/** What an upload needs of the thread pool and the catalog. */
import type { WavecacheError } from "../../base/errors.ts";
import type { RequestContext } from "../../base/request-context.ts";
import type { Sealed } from "../../lane/messages/streams.ts";
import type { UploadEvents, UploadSlot } from "../../pool/upload-slot.ts";
import type { Account } from "../../store/streams/accounts.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import type { StreamMetadata } from "../../store/streams/metadata.ts";
import type { Admission } from "./admission.ts";

/** The part of an upload that its host sees. */
export interface HostedUpload {
  readonly streamId: string;
  /** Name of the file in incoming/. */
  readonly key: string;
  readonly metadata: StreamMetadata;
  readonly account: Account | undefined;
  readonly context: RequestContext | undefined;
  /** Bytes received, including those of earlier connections. */
  readonly receivedBytes: number;
  /** The catalog must not keep the stream. */
  readonly isDiscarded: boolean;
}

export interface UploadHost {
  readonly admission: Admission;
  /** Why the upload may not take more bytes; undefined if it may. */
  refuseWrite(upload: HostedUpload, bytes: number): WavecacheError | undefined;
  /** The upload has received audio. Returns at how many bytes to call this again. */
  grew(upload: HostedUpload): number;
  /** Throws WORKER_LOST while no writer runs. */
  openSlot(key: string, resume: boolean, events: UploadEvents): UploadSlot;
  /** Syncs the file in the background. */
  flush(upload: HostedUpload): Promise<unknown>;
  /** Enters the size that the whole stream will have; undefined for none. */
  declareSize(upload: HostedUpload, size: number | undefined): Promise<unknown>;
  /** Makes the stream's entry and these bytes of its file durable. */
  secure(upload: HostedUpload, bytes: number): Promise<void>;
  /** Makes sealed audio durable. */
  commit(upload: HostedUpload, sealed: Sealed): Promise<StreamRow>;
  /** Resolves when a finished stream may be acknowledged. Rejects with ARCHIVE_UNAVAILABLE. */
  archived(sha256: string): Promise<void>;
  /** The upload was finished before it was resumed. */
  release(upload: HostedUpload): void;
  /** The upload has ended and its file is closed; `entered`: the catalog has an entry for it. */
  failed(upload: HostedUpload, entered: boolean): Promise<void>;
}
