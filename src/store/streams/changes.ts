/**
 * Changes of what is known of streams, a group at a time: tags that a client sets, and what was read from the audio.
 *
 *     1  the journal has the changed entries     a crash after this leaves changes that nobody acknowledged: the check
 *        (synced for a client)                   takes them from the journal
 *     2  the catalog has them (the same)         the changed streams
 *
 * What was read from the audio needs no sync: if it is lost it is read again. Commits and removals wait for the group.
 * A stream of another node is changed in the catalog alone: that node gets a task (nodes/tasks.ts).
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { notePosition } from "../check/journal-pass.ts";
import { finishOf } from "../journal/entry.ts";
import type { StreamRow } from "./catalog.ts";
import type { CommitStore } from "./commit.ts";
import { addTags, type AudioProperties, patchTags } from "./metadata.ts";

/** A client's change of tags: null removes one. */
export interface TagsChange {
  streamId: string;
  patch: Readonly<Record<string, string | null>>;
}

/** What the audio of one upload says of itself. Its tags never replace those of a client. */
export interface AudioReading {
  streamId: string;
  key: string;
  audio: AudioProperties;
  tags: Readonly<Record<string, string>>;
}

export type StreamChange = TagsChange | AudioReading;

export type ChangeOutcome = { row: StreamRow } | { error: WavecacheError };

/** Resolves with an outcome for each change, in their order. Never rejects. */
export async function changeGroup(store: CommitStore, changes: StreamChange[]): Promise<ChangeOutcome[]> {
  try {
    return await write(store, changes);
  } catch (error) {
    return changes.map(() => ({ error: toWavecacheError(error) }));
  }
}

/** Later changes of a stream see the earlier ones. */
function plan({ catalog }: CommitStore, changes: StreamChange[]): ChangeOutcome[] {
  const rows = new Map<string, StreamRow>();
  return changes.map((change) => {
    try {
      const row = changed(rows.get(change.streamId) ?? catalog.find(change.streamId), change);
      rows.set(row.streamId, row);
      return { row };
    } catch (error) {
      return { error: toWavecacheError(error) };
    }
  });
}

function changed(row: StreamRow | undefined, change: StreamChange): StreamRow {
  if (row === undefined) throw new WavecacheError("STREAM_UNKNOWN");
  if ("patch" in change) return { ...row, metadata: patchTags(row.metadata, change.patch) };
  if (row.key !== change.key) throw new WavecacheError("STREAM_UNKNOWN");
  return { ...row, metadata: addTags(row.metadata, change.tags), audio: change.audio };
}

async function write(store: CommitStore, changes: StreamChange[]): Promise<ChangeOutcome[]> {
  const { catalog, journal } = store;
  const durable = changes.some((change) => "patch" in change);
  const journaled = rowsOf(plan(store, changes));
  const finished = journaled.filter((row) => row.state === "finished" && row.otherNode === undefined);
  journal.append(
    finished.map((row) => finishOf({ ...row, sha256: row.sha256!, finishedAt: row.finishedAt! })),
  );
  if (durable) await journal.sync();
  return catalog.transaction(() => {
    // An entry that is not synced may be lost: the position stays before it.
    if (durable) notePosition(catalog, journal.position);
    // Other nodes may have changed the streams during the sync.
    catalog.lock(changes.map(({ streamId }) => streamId));
    const planned = plan(store, changes);
    for (const row of rowsOf(planned)) describe(store, row, finished);
    return planned;
  }, durable);
}

/** The journal of the node that has the stream gets the change, too. */
function describe({ catalog }: CommitStore, row: StreamRow, journaled: readonly StreamRow[]): void {
  const { streamId, key, metadata, audio } = row;
  catalog.describe(streamId, key, metadata, audio);
  const known = journaled.find((each) => each.streamId === streamId);
  const isElsewhere = row.otherNode !== undefined && row.state === "finished";
  if (isElsewhere || (known !== undefined && !Bun.deepEquals(known.metadata, metadata)))
    catalog.tasks.leaveTags(row);
}

/** The last of each stream. */
function rowsOf(planned: readonly ChangeOutcome[]): StreamRow[] {
  const rows = new Map<string, StreamRow>();
  for (const each of planned) if ("row" in each) rows.set(each.row.streamId, each.row);
  return [...rows.values()];
}
