/** What this door needs of the rest of the server. */
import type { LiveListener } from "../../engine/recordings/live-feed.ts";
import type { Follower } from "../../engine/streams/followers.ts";
import type { Readable } from "../../engine/streams/streams.ts";
import type { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { Upload, UploadOwner } from "../../engine/streams/upload.ts";
import type { FileRef, ReadSink } from "../../pool/readers.ts";
import type { ListQuery, StreamRow } from "../../store/streams/catalog.ts";
import type { StreamMetadata } from "../../store/streams/metadata.ts";

/** An upload, as far as this door has to do with it. */
export type OpenUpload = Pick<
  Upload,
  | "streamId"
  | "ready"
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
  startUpload(streamId: string, owner: UploadOwner, metadata: StreamMetadata): OpenUpload;
  resumeUpload(streamId: string, owner: UploadOwner, metadata: StreamMetadata): OpenUpload;
  locateKnown(streamId: string): Readable | undefined;
  locate(streamId: string, wantedBytes: number): Promise<Readable>;
  follow(streamId: string, follower: Follower): boolean;
  unfollow(streamId: string, follower: Follower): void;
  assignReader(): RangeReader;
  readonly outbound: OutboundBudget;
  find(streamId: string): Promise<StreamRow | null>;
  list(query: ListQuery): Promise<StreamRow[]>;
  receivedBytes(streamId: string): number | undefined;
  remove(streamId: string): Promise<void>;
}

/** Reads audio of files. */
export interface RangeReader {
  /** At least 1 byte; the file must have them. The sink is never called before this returns. */
  read(file: FileRef, offset: number, length: number, sink: ReadSink): void;
  /** The range at once, if that takes no disk. The view must be sent before anything else is awaited. */
  resident(file: FileRef, offset: number, length: number): Uint8Array | undefined;
}

/** A recording that goes on now. */
export interface LiveRecording {
  handshake: { streamId: number; sampleRate: number; channels: number };
  live: { add(listener: LiveListener): void; remove(listener: LiveListener): void };
}

export interface LiveRecordings {
  /** Throws RECORDING_UNKNOWN, LISTENERS_EXHAUSTED. */
  listen(name: string): LiveRecording;
}

export interface Core {
  streams: Streams;
  recordings: LiveRecordings;
}
