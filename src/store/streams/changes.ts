/**
 * Changes of what is known of streams, a group at a time: tags that a client sets, and what was read from the audio.
 *
 *     1  the journal has the changed entries     a crash after this leaves changes that nobody acknowledged: the check
 *        (synced for a client)                   takes them from the journal
 *     2  the catalog has them (the same)         the changed streams
 *
 * What was read from the audio needs no sync: if it is lost it is read again. Commits and removals wait for the group.
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
  const planned = plan(store, changes);
  const rows = new Map<string, StreamRow>();
  for (const each of planned) if ("row" in each) rows.set(each.row.streamId, each.row);
  try {
    await write(
      store,
      [...rows.values()],
      changes.some((change) => "patch" in change),
    );
  } catch (error) {
    return changes.map(() => ({ error: toWavecacheError(error) }));
  }
  return planned;
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

async function write({ catalog, journal }: CommitStore, rows: StreamRow[], durable: boolean): Promise<void> {
  const finished = rows.filter((row) => row.state === "finished");
  journal.append(
    finished.map((row) => finishOf({ ...row, sha256: row.sha256!, finishedAt: row.finishedAt! })),
  );
  if (durable) await journal.sync();
  catalog.transaction(() => {
    // An entry that is not synced may be lost: the position stays before it.
    if (durable) notePosition(catalog, journal.position);
    for (const { streamId, key, metadata, audio } of rows) catalog.describe(streamId, key, metadata, audio);
  }, durable);
}
