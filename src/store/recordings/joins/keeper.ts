/**
 * Joins the segments of an hour of a session, so that a day is 24 files instead of thousands. The audio and its place in
 * time stay the same. A crash right after a step leaves:
 *
 *     1  the catalog notes the new name and the sources     nothing else: the next start forgets the note
 *     2  the joined files are written and synced            files without a row: the next start removes them
 *     3  the catalog has the joined row in place of those   a whole recording; the files of the sources are left over
 *        of the sources, in one transaction                 until step 4
 *     4  the files of the sources are removed, a while      the same, with fewer files: the next start removes the rest
 *        later: readers may have begun with them
 *     5  the catalog forgets the note                       a finished recording
 *
 * The notes are settled before the repair of a start, which would enter files without a row.
 */
import { dirname, join } from "node:path";
import { failpoint } from "../../../base/failpoint.ts";
import { joinedFilesMs } from "../../../base/limits/recordings.ts";
import type { RecordingItems } from "../../archive/catalog.ts";
import { removeFile, sizeOfFile } from "../../layout.ts";
import type { RecordingEntry } from "../../../base/recording-entry.ts";
import type { RetentionCatalog } from "../../retention/catalog.ts";
import type { Catalog } from "../../streams/catalog.ts";
import type { RecordingCatalog, RecordingRow } from "../catalog.ts";
import { isHere } from "../place.ts";
import { removeBeside } from "../peaks/files.ts";
import type { JoinCatalog, JoinNote } from "./catalog.ts";
import { JoinRefusedError, writeJoined } from "./files.ts";
import { groupsOf, joinedEntry } from "./group.ts";

type JoinTransactions = Pick<Catalog, "transaction" | "runningMs"> & {
  readonly archive: { readonly recordings: RecordingItems };
  readonly recordings: Pick<RecordingCatalog, "find" | "has">;
  readonly joins: JoinCatalog;
  readonly retention: Pick<RetentionCatalog, "isRecordingPinned">;
};

export interface JoinArgs {
  folder: string;
  session: number;
  /** Bounds of `startedAt`, in ms since 1970; `to` is exclusive. */
  from: number;
  to: number;
  /** Otherwise the joined `.bin` is empty. */
  keepPackets: boolean;
  now: number;
}

export interface JoinResult {
  /** Segments that were joined, and the recordings that they became. */
  segments: number;
  recordings: number;
  /** Why some segments stay as they are. */
  problems: string[];
}

export class RecordingJoins {
  readonly #catalog: JoinTransactions;
  readonly #joins: JoinCatalog;
  readonly #syncFolder: (folder: string) => void;

  /** `syncFolder` makes removals in a folder durable. */
  constructor(catalog: JoinTransactions, syncFolder: (folder: string) => void) {
    this.#catalog = catalog;
    this.#joins = catalog.joins;
    this.#syncFolder = syncFolder;
  }

  async join({ folder, session, from, to, keepPackets, now }: JoinArgs): Promise<JoinResult> {
    const result: JoinResult = { segments: 0, recordings: 0, problems: [] };
    const rows = this.#joins.candidates(session, from, to);
    for (const group of groupsOf(rows, (row) => this.#staysAsItIs(row))) {
      const problem = await this.#joinGroup(folder, group, keepPackets, now);
      if (problem !== undefined) result.problems.push(problem);
      if (problem !== undefined) continue;
      result.segments += group.length;
      result.recordings += 1;
    }
    return result;
  }

  /** Ends joins: those before this time, or all of an earlier run of the server. */
  settle(folder: string, before: number | "all"): void {
    for (const note of this.#joins.notes()) {
      if (note.joinedAt === null && before === "all") this.#undo(folder, note.name);
      else if (note.joinedAt !== null && (before === "all" || note.joinedAt < before))
        this.#finish(folder, note);
    }
  }

  /** Returns why the segments stay as they are; undefined if they were joined. */
  async #joinGroup(
    folder: string,
    group: readonly RecordingRow[],
    keepPackets: boolean,
    now: number,
  ): Promise<string | undefined> {
    const name = this.#freeName(folder, group[0]!.name);
    const sources = group.map((row) => row.name);
    this.#catalog.transaction(() => this.#joins.note(name, sources), true);
    failpoint("join.1");
    let joined: RecordingEntry;
    try {
      joined = joinedEntry(group, name, await writeJoined(folder, name, group, keepPackets));
      // Retention, a request or the look for files may have removed a segment meanwhile.
      if (!group.every((row) => this.#isAsItWas(row))) throw new JoinRefusedError("a segment has changed");
    } catch (error) {
      this.#undo(folder, name);
      if (error instanceof JoinRefusedError) return error.message;
      throw error;
    }
    failpoint("join.2");
    // If this fails otherwise, it is not known what the disk has: the next start settles it.
    try {
      this.#catalog.transaction(() => this.#replace(group, joined, now), true);
    } catch (error) {
      if (!(error instanceof JoinRefusedError)) throw error;
      this.#undo(folder, name);
      return error.message;
    }
    failpoint("join.3");
    return undefined;
  }

  /** Other nodes may have begun with the sources, too: the archive keeps them as long. */
  #replace(group: readonly RecordingRow[], joined: RecordingEntry, now: number): void {
    const { recordings: items } = this.#catalog.archive;
    const keys = group.map(({ id }) => items.keyOf(id));
    if (!this.#joins.replace(group, joined, now))
      throw new JoinRefusedError("another node has removed a segment");
    const dueMs = this.#catalog.runningMs() + joinedFilesMs;
    for (const key of keys) if (key !== undefined) items.delayRemoval(key, dueMs);
  }

  /** Samples that are in the archive alone are not fetched to be joined. */
  #staysAsItIs(row: RecordingRow): boolean {
    return !isHere(row) || this.#catalog.retention.isRecordingPinned(row.id);
  }

  #isAsItWas({ id, wav }: RecordingRow): boolean {
    return (
      this.#catalog.recordings.find(id)?.wav.sha256 === wav.sha256 &&
      !this.#catalog.retention.isRecordingPinned(id)
    );
  }

  /** A name of the same second that no file and no recording has. */
  #freeName(folder: string, name: string): string {
    const base = name.replace(/(_\d{8}_\d{6})_\d+$/, "$1");
    for (let number = 2; ; number++) {
      const candidate = `${base}_${number}`;
      const path = join(folder, candidate);
      const isFree = sizeOfFile(`${path}.wav`) === undefined && sizeOfFile(`${path}.bin`) === undefined;
      if (isFree && !this.#catalog.recordings.has(candidate)) return candidate;
    }
  }

  #undo(folder: string, name: string): void {
    removeFiles(folder, name);
    this.#catalog.transaction(() => this.#joins.forget(name), false);
  }

  #finish(folder: string, { name, sources }: JoinNote): void {
    for (const source of sources) {
      removeFiles(folder, source);
      failpoint("join.4");
    }
    for (const each of new Set(sources.map((source) => dirname(join(folder, source)))))
      this.#syncFolder(each);
    this.#catalog.transaction(() => this.#joins.forget(name), false);
  }
}

function removeFiles(folder: string, name: string): void {
  const path = join(folder, name);
  removeFile(`${path}.bin`);
  removeFile(`${path}.wav`);
  removeBeside(path);
}
