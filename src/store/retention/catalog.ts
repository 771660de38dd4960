/** What retention needs of the catalog: what may be removed and in which order, pins, read times, and usage. */

/** What is retained: streams of the cache, or recordings. */
export type RetainedKind = "streams" | "recordings";

/** `use`: least recently read first. `age`: oldest first. `newest`: the other way round. */
export type CandidateOrder = "use" | "age" | "newest";

/** A position in an order. Ids of recordings are numbers. */
export interface CandidatePosition {
  at: number;
  id: string | number;
}

/** A finished stream, or a recording, that is not pinned. */
export interface Candidate {
  id: string | number;
  /** What patterns match: the stream's id, or the device of a recording (its stream id if it has no device). */
  name: string;
  /** Names the upload of a stream; empty for a recording. An id may have another stream by now. */
  key: string;
  /** Milliseconds since 1970: when it was finished, and when it was last read, or finished if that is later. */
  madeAt: number;
  usedAt: number;
  bytes: number;
  /** The object of a stream; null for a recording. */
  sha256: string | null;
  /** Streams that have the object, this one included. */
  sharers: number;
}

export interface CandidateQuery {
  kind: RetainedKind;
  order: CandidateOrder;
  /** The first page has none. */
  after: CandidatePosition | null;
  limit: number;
}

/** A stream in any state, or a recording, for counting. */
export type MeasuredRow = Pick<Candidate, "id" | "name" | "bytes" | "sha256">;

export interface RecordingTotals {
  recordings: number;
  /** Of the files of each. */
  bytes: number;
}

/** A device's audio of [from, to) is pinned. */
export interface PinnedRange {
  device: string;
  from: number;
  to: number;
}

/** When something was read last, in milliseconds since 1970. */
export interface ReadTime {
  id: string | number;
  at: number;
}

/** Bytes at a time, in milliseconds since 1970. */
export interface UsageSample {
  at: number;
  streamBytes: number;
  recordingBytes: number;
}

export interface RetentionCatalog {
  candidates(query: CandidateQuery): Candidate[];
  /** Everything of a kind in the order of the ids, pinned or not. */
  measure(kind: RetainedKind, after: string | number, limit: number): MeasuredRow[];
  recordingTotals(): RecordingTotals;
  noteReads(kind: RetainedKind, reads: readonly ReadTime[]): void;
  /** False if there is no such finished stream. */
  pinStream(streamId: string, isPinned: boolean): boolean;
  /** False if there is no such recording. */
  pinRecording(id: number, isPinned: boolean): boolean;
  /** Pins a range, or removes it from the pinned ranges of its device. Returns how many ranges there are then. */
  pinRange(range: PinnedRange, isPinned: boolean): number;
  pinnedRanges(): PinnedRange[];
  isRecordingPinned(id: number): boolean;
  /** Adds a sample, and forgets those before `since`. */
  addSample(sample: UsageSample, since: number): void;
  samples(): UsageSample[];
}
