/**
 * The calls to the keeper, the thread that owns the catalog and makes finished streams durable. There is one call for
 * each event in a stream's life, none for a frame, so they go as messages and not through a ring.
 */
import type { RecordingEntry } from "../base/recording-entry.ts";
import type { CheckpointItem, CheckpointOutcome } from "./streams/checkpoint.ts";
import type { ListQuery, StreamRow, Totals } from "./streams/catalog.ts";
import type { DeviceRow } from "./devices/catalog.ts";
import type { RecordingQuery, RecordingRow } from "./recordings/catalog.ts";
import type { Recovery } from "./streams/recover.ts";
import type { StreamMetadata } from "./streams/metadata.ts";

export type ResumeAnswer =
  /** The id was free and is entered now. */
  | { kind: "new" }
  /** An interrupted upload: its file in incoming/ and the bytes in it. */
  | { kind: "unfinished"; key: string; size: number; metadata: StreamMetadata }
  | { kind: "finished"; row: StreamRow };

/** Arguments and result of each call. Times are milliseconds since 1970. */
export interface KeeperCalls {
  /** Opens the store and repairs it. Comes first. */
  open: [args: { cacheDir: string; at: number }, result: { recovery: Recovery; totals: Totals }];
  /** Enters a new unfinished stream; STREAM_EXISTS if the id is in use. */
  reserve: [args: { streamId: string; key: string; metadata: StreamMetadata; at: number }, result: null];
  /** Finds what an id can be resumed from; enters it with `key` if it is new. */
  resume: [
    args: { streamId: string; key: string; metadata: StreamMetadata; at: number },
    result: ResumeAnswer,
  ];
  /** An upload has ended without an acknowledgement; says what is left of it, undefined for nothing. */
  leave: [args: { streamId: string; at: number }, result: StreamRow | null];
  /** Sends what an upload has in its file to the disk, so that less is left to do at its end. */
  flush: [args: { streamId: string; key: string }, result: null];
  /** Makes durable what uploads have in their files, and that they exist. */
  checkpoint: [args: { items: CheckpointItem[]; at: number }, result: CheckpointOutcome[]];
  /** Makes a sealed upload durable. `addedBytes` is 0 for content that was there already. */
  finish: [
    args: { streamId: string; key: string; size: number; sha256: string; format: string | null; at: number },
    result: { row: StreamRow; addedBytes: number },
  ];
  find: [args: { streamId: string }, result: StreamRow | null];
  list: [args: ListQuery, result: StreamRow[]];
  /** Removes a stream and what only it used; STREAM_UNKNOWN if there is none. */
  remove: [
    args: { streamId: string },
    result: { finished: boolean; objectBytes: number; unfinishedBytes: number },
  ];
  /** Removes interrupted uploads last touched before a time, except the ones in use. */
  expire: [args: { before: number; except: string[] }, result: { streamIds: string[]; bytes: number }];
  totals: [args: null, result: Totals];
  /** Repairs segments that are not in the catalog, or of these names if there are any, and enters them. */
  repairRecordings: [
    args: { folder: string; names: string[] | null },
    result: { entered: number; removed: number; damaged: string[] },
  ];
  /** Forces recordings to the disk, those in progress by name, and enters the closed ones. */
  syncRecordings: [args: { folder: string; open: string[]; closed: RecordingEntry[] }, result: null];
  listRecordings: [args: RecordingQuery, result: RecordingRow[]];
  /** The devices that are remembered, the one that was seen longest ago first. */
  listDevices: [args: null, result: DeviceRow[]];
  saveDevices: [args: { devices: DeviceRow[]; forgotten: string[] }, result: null];
  /** Closes the catalog; the thread ends. Comes last. */
  close: [args: null, result: null];
}

export type KeeperCall = keyof KeeperCalls;
export type KeeperArgs<C extends KeeperCall> = KeeperCalls[C][0];
export type KeeperResult<C extends KeeperCall> = KeeperCalls[C][1];

/** Main thread to keeper. */
export interface KeeperRequest<C extends KeeperCall = KeeperCall> {
  serial: number;
  call: C;
  args: KeeperArgs<C>;
}

/** Keeper to main thread; `errorNumber` is 0 or a number of `base/errors.ts`. */
export interface KeeperReply {
  serial: number;
  errorNumber: number;
  detail: string;
  result: unknown;
}
