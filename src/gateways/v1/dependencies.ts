/** What protocol v1 needs of the engine. */
import type { RequestContext } from "../../base/request-context.ts";
import type { LiveListener } from "../../engine/recordings/live-feed.ts";
import type { Follower } from "../../engine/streams/followers.ts";
import type { Readable } from "../../engine/streams/readable-streams.ts";
import type { NewStream } from "../../engine/streams/current-uploads.ts";
import type { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { Upload, UploadOwner } from "../../engine/streams/upload.ts";
import type { FileRef, ReadSink } from "../../pool/reader.ts";
import type { ListQuery, StreamRow } from "../../store/streams/catalog.ts";

/** The parts of an upload that a channel uses. */
export type OpenUpload = Pick<
  Upload,
  | "streamId"
  | "ready"
  | "keptSha256"
  | "over"
  | "receivedBytes"
  | "writtenBytes"
  | "metadata"
  | "finishing"
  | "write"
  | "finish"
  | "readable"
  | "checkpoint"
  | "leave"
  | "discard"
>;

export interface Streams {
  startUpload(streamId: string, owner: UploadOwner, stream: NewStream): OpenUpload;
  resumeUpload(streamId: string, owner: UploadOwner, stream: NewStream): OpenUpload;
  /** As `resumeUpload`, but discards what an unfinished stream has. */
  restartUpload(streamId: string, owner: UploadOwner, stream: NewStream): OpenUpload;
  /** A finished stream in memory, without a look-up. */
  locateKnown(streamId: string): Readable | undefined;
  /** An unfinished stream resolves once `wantedBytes` of what it received are readable. Throws STREAM_UNKNOWN. */
  locate(streamId: string, wantedBytes: number): Promise<Readable>;
  /** Retention keeps the stream until the returned function is called. */
  hold(streamId: string, context: RequestContext): () => void;
  /** False if the stream has no upload in progress. */
  follow(streamId: string, follower: Follower): boolean;
  unfollow(streamId: string, follower: Follower): void;
  /** Sources read on their own, so their answers need no order among each other. */
  assignReader(order: "as they come"): RangeReader;
  readonly outbound: OutboundBudget;
  /** A stream by its id, or else the only one of this name. */
  lookUp(idOrName: string): Promise<StreamRow | null>;
  list(query: ListQuery): Promise<StreamRow[]>;
  receivedBytes(streamId: string): number | undefined;
  remove(streamId: string): Promise<void>;
}

/** Reads file ranges. */
export interface RangeReader {
  /** The range must be at least 1 byte and lie within the file. Calls the sink only after this returns. */
  read(file: FileRef, offset: number, length: number, sink: ReadSink): void;
  /** The range if it is in memory. Send the view before the next await: the file may be unmapped after it. */
  resident(file: FileRef, offset: number, length: number): Uint8Array | undefined;
}

/** A recording in progress. */
export interface LiveRecording {
  /** Sanitized; null for a device that has none. */
  readonly hwid: string | null;
  handshake: { streamId: number; sampleRate: number; channels: number };
  live: { add(listener: LiveListener): void; remove(listener: LiveListener): void };
}

export interface LiveRecordings {
  /** Rejects with RECORDING_UNKNOWN, LISTENERS_EXHAUSTED, NODE_UNREACHABLE. */
  listen(name: string): Promise<LiveRecording>;
}
