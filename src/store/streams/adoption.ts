/**
 * Streams of audio that the store has already, which cost no upload. A crash right after a step leaves:
 *
 *     1  the journal is synced           no stream; the check may enter it, as after a commit that was cut off
 *     2  the row is entered (synced)     a finished stream without an acknowledgement
 *
 * Commits, removals and adoptions run one after the other, so the object stays while a stream adopts it.
 */
import { WavecacheError } from "../../base/errors.ts";
import { notePosition } from "../check/journal-pass.ts";
import { streamFinished } from "../events/facts.ts";
import { finishOf } from "../journal/entry.ts";
import type { KeeperArgs } from "../keeper-calls.ts";
import { type CacheLayout, sizeOfFile } from "../layout.ts";
import type { AccountRoom } from "./accounts.ts";
import type { Catalog, FinishedStream, StreamRow } from "./catalog.ts";
import type { CommitStore } from "./commit.ts";

/** Finished streams with this object, by id; none if it is damaged or missing, as far as is known. */
export function streamsOfObject(
  layout: CacheLayout,
  catalog: Catalog,
  { sha256, limit }: KeeperArgs<"streamsOf">,
): StreamRow[] {
  const rows = catalog.streamsOf(sha256, limit);
  return rows.filter(({ size, isDamaged, isEvicted }) => {
    return !isDamaged && (size === 0 || isEvicted || sizeOfFile(layout.objectPath(sha256)) === size);
  });
}

/** Rejects with OBJECT_UNKNOWN if the store does not have the object, STREAM_EXISTS, and TOKEN_LIMIT_REACHED. */
export async function adoptObject(
  { layout, catalog, journal }: CommitStore,
  { streamId, key, sha256, metadata, room, at }: KeeperArgs<"adopt">,
): Promise<StreamRow> {
  if (catalog.find(streamId) !== undefined) throw new WavecacheError("STREAM_EXISTS");
  const [source] = streamsOfObject(layout, catalog, { sha256, limit: 1 });
  if (source === undefined) throw new WavecacheError("OBJECT_UNKNOWN");
  const { size, format, audio } = source;
  if (room !== null) requireRoom(catalog, room, size);
  const facts = { streamId, key, sha256, size, format, audio, metadata, account: room?.id };
  const stream: FinishedStream = { ...facts, createdAt: at, finishedAt: at };
  journal.append([finishOf(stream)]);
  await journal.sync();
  const isEntered = catalog.transaction(() => {
    notePosition(catalog, journal.position);
    if (!catalog.enter(stream)) return false;
    streamFinished(catalog.events, stream);
    return true;
  }, true);
  // An upload has taken the id during the sync.
  if (!isEntered) throw new WavecacheError("STREAM_EXISTS");
  return catalog.find(streamId)!;
}

/** Throws TOKEN_LIMIT_REACHED. */
function requireRoom(
  { accounts }: Catalog,
  { id, maxBytes, exceptStreamIds }: AccountRoom,
  size: number,
): void {
  if (maxBytes === null || accounts.storedBytes(id, exceptStreamIds) + size <= maxBytes) return;
  throw new WavecacheError("TOKEN_LIMIT_REACHED", "storedBytes");
}
