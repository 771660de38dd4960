/**
 * What a node has to do because another one has changed what they share. The transaction of the change leaves the task, and
 * the node works it off when it learns of it: at once, or once it is back.
 *
 *     stream       it was removed: its object goes if no other stream of the node has it
 *     upload       an unfinished one was removed: its file in incoming/ goes
 *     recording    it was removed: its files go
 *     tags         those of a stream were changed: the journal of the node gets them
 */

export type StreamTaskKind = "stream" | "upload" | "tags";

export interface StreamTask {
  id: number;
  kind: StreamTaskKind;
  streamId: string;
  key: string;
  /** Null for an upload. */
  sha256: string | null;
}

export interface RecordingTask {
  id: number;
  /** Relative to the folder of recordings. */
  name: string;
}

export interface NodeTasks {
  /** The oldest tasks of this node. */
  ofStreams(limit: number): StreamTask[];
  ofRecordings(limit: number): RecordingTask[];
  /** Another node has removed the recording of this node with this name, and its files may still be here. */
  isRecordingRemoved(name: string): boolean;
  /** The tags of a stream have changed, and the journal of its node does not know that. */
  leaveTags(stream: { streamId: string; key: string; otherNode?: string }): void;
  done(tasks: readonly { id: number }[]): void;
}

/** A catalog in a file has one node. */
export const noTasks: NodeTasks = {
  ofStreams: () => [],
  ofRecordings: () => [],
  isRecordingRemoved: () => false,
  leaveTags: () => {},
  done: () => {},
};
