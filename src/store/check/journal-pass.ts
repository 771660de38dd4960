/**
 * Keeps catalog and journal in step. The catalog has the position of the journal at its last commit. If the journal goes
 * on after that, the catalog may be an older copy, and what the journal knows is done again. A catalog that nodes share is
 * no copy, and knows better (folder-entry.ts).
 */
import { streamFinished, streamRemoved } from "../events/facts.ts";
import type { ArchiveItem } from "../archive/catalog.ts";
import { type JournalEntry, parseLine } from "../journal/entry.ts";
import type { JournalPosition } from "../journal/journal.ts";
import { readJournal } from "../journal/reader.ts";
import { sizeOfFile } from "../layout.ts";
import { isJournalTrusted } from "./folder-entry.ts";
import type { Catalog, FinishedStream, StreamRow } from "../streams/catalog.ts";
import { type CheckContext, type CheckedStore, stepItems } from "./context.ts";

const positionFact = "journal_position";

/** Call it in the transaction of a commit. */
export function notePosition(catalog: Pick<Catalog, "setMeta">, { number, bytes }: JournalPosition): void {
  catalog.setMeta(positionFact, `${number}:${bytes}`);
}

/** The catalog is of another store or an older copy: the next check does again all that the journal knows. */
export function forgetPosition(catalog: Pick<Catalog, "setMeta">): void {
  catalog.setMeta(positionFact, undefined);
}

/** Enters finished streams, changes changed ones, and removes removed ones, that only the journal knows of. */
export async function replayJournal(context: CheckContext): Promise<void> {
  const { layout, catalog, drift } = context.store;
  if (!isJournalTrusted(catalog)) return;
  const [number, bytes] = (catalog.meta(positionFact) ?? "0:0").split(":").map(Number);
  const absent: FinishedStream[] = [];
  for await (const lines of readJournal(layout.journal, { number: number!, bytes: bytes! })) {
    const entries = lines.map(parseLine).filter((entry) => entry !== undefined);
    drift.around(() =>
      catalog.transaction(() => entries.forEach((entry) => replay(context, entry, absent)), false),
    );
    await enterArchived(context, absent.splice(0));
    await context.pace.rest();
  }
}

/** Streams whose object is not here, and which have no row, go to `absent`. */
function replay(context: CheckContext, entry: JournalEntry, absent: FinishedStream[]): void {
  const { catalog } = context.store;
  if ("archive" in entry) {
    if (catalog.archive.find(entry.archive.sha256) !== undefined) catalog.archive.archived(entry.archive);
    return;
  }
  if ("finish" in entry) return replayFinish(context, entry.finish, absent);
  const { streamId, key } = entry.remove;
  const row = catalog.find(streamId);
  if (row?.state !== "finished" || row.key !== key) return;
  catalog.remove(streamId);
  streamRemoved(catalog.events, row, "request");
  context.figures.forgottenStreams += 1;
}

function replayFinish(
  { store, figures }: CheckContext,
  stream: FinishedStream,
  absent: FinishedStream[],
): void {
  const { catalog, layout } = store;
  const { streamId, key, sha256, size, metadata, audio } = stream;
  const row = catalog.find(streamId);
  // An upload that goes on may have got other tags since.
  if (row?.state === "finished") catalog.describe(streamId, key, metadata, audio);
  if (row !== undefined) return;
  if (sizeOfFile(layout.objectPath(sha256)) !== size) return void absent.push(stream);
  if (!catalog.enter(stream)) return;
  streamFinished(catalog.events, stream);
  figures.enteredStreams += 1;
}

/** Those that were not removed since, and whose object the archive has. */
async function enterArchived(context: CheckContext, absent: FinishedStream[]): Promise<void> {
  if (absent.length === 0) return;
  const index = await context.index();
  const { catalog, drift } = context.store;
  const enter = () => {
    for (const stream of absent) {
      const archiveKey = index.archiveKeyOf(stream.sha256);
      if (archiveKey === undefined || index.isRemoved(stream.streamId, stream.key)) continue;
      catalog.archive.enter(evictedItem(stream, archiveKey));
      if (!catalog.enter(stream)) continue;
      streamFinished(catalog.events, stream);
      context.figures.enteredStreams += 1;
    }
  };
  drift.around(() => catalog.transaction(enter, false));
}

/** The item of an object that is in the archive alone. */
export function evictedItem({ sha256, size, finishedAt }: FinishedStream, key: string): ArchiveItem {
  const facts = { isArchived: true, isLocal: false, recording: null, failures: 0, uploadId: null };
  return { sha256, size, key, queuedAt: finishedAt, ...facts };
}

/**
 * Writes the journal anew if it has become much larger than the catalog, or does not have every stream. Only for a
 * catalog that has been checked: an older copy would make the journal forget what only the journal knows.
 */
export async function rewriteJournal(
  { catalog, journal }: Pick<CheckedStore, "catalog" | "journal">,
  rest: () => Promise<void>,
): Promise<void> {
  if (journal.isRewriteDue) await replaceJournal({ catalog, journal }, rest);
}

/** Writes the journal anew. */
export async function replaceJournal(
  { catalog, journal }: Pick<CheckedStore, "catalog" | "journal">,
  rest: () => Promise<void> = async () => {},
): Promise<void> {
  await journal.rewrite(finishedPages(catalog, rest));
  catalog.transaction(() => notePosition(catalog, journal.position), false);
}

/** All finished streams of this node, page by page. */
async function* finishedPages(
  catalog: Pick<Catalog, "ownFinished" | "archive">,
  rest: () => Promise<void>,
): AsyncGenerator<FinishedStream[]> {
  let after: string | undefined = "";
  while (after !== undefined) {
    const rows: StreamRow[] = catalog.ownFinished(after, stepItems);
    yield rows.map((row) => ({ ...finishedOf(row), archiveKey: archiveKeyOf(catalog, row.sha256!) }));
    await rest();
    after = rows.at(-1)?.streamId;
  }
}

function archiveKeyOf({ archive }: Pick<Catalog, "archive">, sha256: string): string | undefined {
  const item = archive.find(sha256);
  return item?.isArchived === true ? item.key : undefined;
}

function finishedOf(row: StreamRow): FinishedStream {
  const { streamId, key, sha256, size, format, metadata, audio, createdAt, finishedAt, account } = row;
  return {
    streamId,
    key,
    sha256: sha256!,
    size,
    format,
    metadata,
    audio,
    createdAt,
    finishedAt: finishedAt!,
    account: account ?? undefined,
  };
}
