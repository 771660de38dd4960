/** A connection for uploads and downloads, whichever protocol the server speaks. */
import type { DownloadResult, AudioSink } from "../../client/legacy/download.ts";
import type { UploadResult } from "../../client/legacy/upload.ts";
import type { StreamDigests } from "../../client/digests.ts";
import type { ListedStream } from "../../client/http/streams.ts";
import type { AudioSource } from "../../client/audio-source.ts";

export interface UploadJob {
  source: AudioSource;
  /** Name of the file, kept as the tag `name` over protocol v1; its extension determines the media type. */
  name: string;
  streamId: string | undefined;
  /** Resume the unfinished stream of this id; `if-used` if there is one. */
  resume: boolean | "if-used";
  onProgress: (bytes: number) => void;
  /** The server has the stream under this id: it can be resumed if the server can. */
  onStarted?: (streamId: string) => void;
}

export interface DownloadJob {
  streamId: string;
  sink: AudioSink;
  /** Of the first byte to write to the sink. From another one than 0 on nothing is verified. */
  offset: number;
  /** Undefined if unknown, or if the stream is unfinished and may grow. */
  sizeBytes: number | undefined;
  sha256: string | undefined;
  onProgress: (bytes: number) => void;
}

export interface Downloaded extends DownloadResult {
  /** Whether the SHA-256 of the bytes equals the one that the server stores. */
  verified: boolean;
}

export interface TransferSession {
  readonly protocol: "v1" | "legacy";
  upload(job: UploadJob): Promise<UploadResult>;
  download(job: DownloadJob): Promise<Downloaded>;
  /** For the digests that the user wants to see. */
  newDigests(): StreamDigests;
  /** By id or name. Undefined if the stream does not exist; "unknown" if the server has no stream list. */
  info(idOrName: string): Promise<ListedStream | undefined | "unknown">;
  close(): void;
}
