/**
 * The keeper's part in recordings: syncs what the writers wrote, a group at a time, and inserts the complete segments
 * of the group into the catalog (steps 4 and 5 of segment.ts). `syncfs` covers any number of streams with one system
 * call. Platforms without it sync each changed file and its folder.
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import { recordingClosed, recordingOpened, recordingRemoved } from "../events/facts.ts";
import type { Catalog } from "../streams/catalog.ts";
import type { KeeperArgs, KeeperResult } from "../keeper-calls.ts";
import { isMissing, removeFile, sizeOfFile, syncFile, syncFolder } from "../layout.ts";
import { nodesOf, requireHere } from "../elsewhere.ts";
import type { SyncFileSystem } from "../sync-file-system.ts";
import type { RecordingItems } from "../archive/catalog.ts";
import { openElsewhereIn } from "./open-elsewhere.ts";
import { type EvictedRecording, readEvicted } from "./eviction/note.ts";
import { enterEvicted, evictSamples } from "./eviction/evict.ts";
import { isHere } from "./place.ts";
import { FolderWatch } from "../folder-watch.ts";
import type { RetentionCatalog } from "../retention/catalog.ts";
import type { RecordingCatalog, RecordingRow } from "./catalog.ts";
import type { JoinCatalog } from "./joins/catalog.ts";
import { RecordingJoins } from "./joins/keeper.ts";
import type { PeakCatalog } from "./peaks/catalog.ts";
import { levelsOfRange } from "./peaks/levels-query.ts";
import { peaksOfRange } from "./peaks/query.ts";
import { PeakRepair } from "./peaks/repair.ts";
import type { SoundSpan, SpanCatalog } from "./sounds/catalog.ts";
import { removeBeside } from "./peaks/files.ts";
import { haveSamples, type LookedAt, lookForFiles } from "./presence.ts";
import { removeRecordingFiles } from "./removal.ts";
import { rewriteSuspects } from "./rewrite.ts";
import type {
  EndedConnection,
  Period,
  RemovableRow,
  RecordedSource,
  TimelineRows,
} from "./timeline/catalog.ts";
import { readPeriod } from "./timeline/period.ts";
import { listSegments, repairSegment } from "./repair.ts";

/** Pages of recordings without files that one listing removes; further ones are left to the background. */
const maxListRounds = 10;

/** The part of the catalog that this needs. */
type Transactions = Pick<Catalog, "transaction" | "events" | "tasks" | "runningMs"> & {
  readonly recordings: RecordingCatalog;
  readonly overviews: PeakCatalog;
  readonly sounds: SpanCatalog;
  readonly joins: JoinCatalog;
  readonly retention: Pick<RetentionCatalog, "isRecordingPinned">;
  readonly archive: { readonly recordings: RecordingItems };
};

type Forgotten = Parameters<typeof recordingRemoved>[1];
type Reason = Parameters<typeof recordingRemoved>[2];

export class RecordingKeeper {
  readonly #catalog: Transactions;
  readonly #recordings: RecordingCatalog;
  readonly #syncFileSystem: SyncFileSystem;
  readonly #peakRepair: PeakRepair;
  readonly #joins: RecordingJoins;
  #watch: FolderWatch | undefined;

  constructor(catalog: Transactions, syncFileSystem: SyncFileSystem) {
    this.#catalog = catalog;
    this.#recordings = catalog.recordings;
    this.#syncFileSystem = syncFileSystem;
    this.#peakRepair = new PeakRepair(catalog);
    this.#joins = new RecordingJoins(catalog, syncIfThere);
  }

  /** Lists recordings whose files are there. What the last round still finds without files is listed as such. */
  async list({ folder, query }: KeeperArgs<"listRecordings">): Promise<KeeperResult<"listRecordings">> {
    const removed: string[] = [];
    for (let round = 1; ; round += 1) {
      const { present, gone } = await this.#lookedAt(folder, this.#recordings.list(query));
      if (gone.length === 0) return { rows: present, removed };
      removed.push(...this.#forget(folder, gone));
      if (round === maxListRounds) return { rows: this.#recordings.list(query), removed };
    }
  }

  after(id: number, limit: number): RecordingRow[] {
    return this.#recordings.after(id, limit);
  }

  async find({ folder, id }: KeeperArgs<"findRecording">): Promise<KeeperResult<"findRecording">> {
    const row = this.#recordings.find(id);
    return row === undefined ? null : ((await this.#lookedAt(folder, [row])).present[0] ?? null);
  }

  /** Looks for the files of the next recordings, and makes missing peaks. Throws RECORDINGS_LOST. */
  async look({
    folder,
    after,
    limit,
  }: KeeperArgs<"lookAtRecordings">): Promise<KeeperResult<"lookAtRecordings">> {
    this.#checkPresent(folder);
    const rows = this.#recordings.after(after, limit);
    const { present, gone } = await this.#lookedAt(folder, rows);
    const problem = await this.#peakRepair.run(folder, present);
    const last = rows.length < limit ? null : rows.at(-1)!.id;
    return { last, removed: this.#forget(folder, gone), peaksProblem: problem ?? null };
  }

  start({ segment, live, at }: KeeperArgs<"startSegment">): null {
    this.#recordings.start(segment);
    recordingOpened(this.#catalog.events, segment.name, live, at);
    return null;
  }

  sources({ after, limit }: KeeperArgs<"recordedSources">): RecordedSource[] {
    return this.#recordings.timeline.sources(after, limit);
  }

  timeline({ name, ...period }: KeeperArgs<"timeline">): TimelineRows {
    const { timeline } = this.#recordings;
    return timeline.read({ source: timeline.sourceOf(name), ...period });
  }

  saveSounds(spans: readonly SoundSpan[]): null {
    this.#catalog.sounds.save(spans);
    return null;
  }

  endSounds(): null {
    this.#catalog.sounds.endAll();
    return null;
  }

  listSounds({ name, ...query }: KeeperArgs<"listSoundSpans">): SoundSpan[] {
    return this.#catalog.sounds.list({ source: this.#recordings.timeline.sourceOf(name), ...query });
  }

  async peaks({ folders, query }: KeeperArgs<"peaksOfRange">): Promise<KeeperResult<"peaksOfRange">> {
    const { name, ...range } = query;
    const source = this.#recordings.timeline.sourceOf(name);
    return await peaksOfRange(this.#catalog.overviews, folders, { source, ...range });
  }

  async levels({ folders, query }: KeeperArgs<"levelsOfRange">): Promise<KeeperResult<"levelsOfRange">> {
    const { name, ...range } = query;
    const source = this.#recordings.timeline.sourceOf(name);
    return await levelsOfRange(this.#catalog.overviews, folders, { source, ...range });
  }

  /** The segments of a period whose samples are anywhere. Forgets those of this node without any file. */
  async period({ folder, name, ...period }: KeeperArgs<"readPeriod">): Promise<KeeperResult<"readPeriod">> {
    const { timeline } = this.#recordings;
    const source = timeline.sourceOf(name);
    const { spans, segments } = readPeriod(timeline, { source, ...period });
    const openElsewhere = openElsewhereIn(this.#recordings, source, period);
    const mayMiss = segments.filter((segment) => isHere(segment) && segment.archive === undefined);
    const areThere = this.#isLost(folder) ? [] : await haveSamples(folder, mayMiss.map(nameOf));
    const missing = new Set(mayMiss.filter((_, index) => areThere[index] === false));
    const rows = [...missing].map(({ id }) => this.#recordings.find(id));
    const { gone } = await this.#lookedAt(
      folder,
      rows.filter((row) => row !== undefined),
    );
    const removed = this.#forget(folder, gone);
    return { spans, segments: segments.filter((segment) => !missing.has(segment)), removed, openElsewhere };
  }

  /**
   * Removes segments that lie within a period, or one segment. First the files: after a crash in between, the next look
   * finds rows without files, while files without rows would be repaired into the catalog again.
   */
  remove({ folder, what, limit }: KeeperArgs<"removeRecordings">): KeeperResult<"removeRecordings"> {
    const rows = typeof what === "number" ? this.#removable(what) : this.#within(what, limit);
    const [here, elsewhere] = [rows.filter(isOwn), rows.filter((row) => !isOwn(row))];
    if (here.length > 0) this.#checkPresent(folder);
    removePairs(folder, here);
    this.#forget(folder, here, "request");
    for (const row of elsewhere) this.#forgetElsewhere(row);
    return { removed: rows.length, bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** A transaction each: their nodes differ. Those nodes remove the files. */
  #forgetElsewhere(row: RemovableRow): void {
    const forget = () => {
      // It may be gone by now.
      if (this.#recordings.removeAnywhere(row.id)) recordingRemoved(this.#catalog.events, row, "request");
    };
    this.#catalog.transaction(forget, true, nodesOf(row));
  }

  /** Removes files of recordings that other nodes have removed: those first, as in `remove`. Throws RECORDINGS_LOST. */
  workOff({ folder, limit }: KeeperArgs<"recordingTasks">): KeeperResult<"recordingTasks"> {
    const { tasks } = this.#catalog;
    const removed = tasks.ofRecordings(limit);
    if (removed.length > 0) this.#checkPresent(folder);
    removePairs(folder, removed);
    for (const { name } of removed) removeBeside(join(folder, name));
    this.#catalog.transaction(() => tasks.done(removed), true);
    return { removed: removed.length, isLast: removed.length < limit };
  }

  #removable(id: number): RemovableRow[] {
    const row = this.#recordings.find(id);
    if (row === undefined) throw new WavecacheError("RECORDING_UNKNOWN");
    return [{ ...row, bytes: row.fileBytes }];
  }

  #within({ name, ...period }: Period, limit: number): RemovableRow[] {
    const { timeline } = this.#recordings;
    return timeline.within({ source: timeline.sourceOf(name), ...period }, limit);
  }

  /** Removes files and rows of recordings that are not pinned (removal.ts). Throws RECORDINGS_LOST. */
  expire({ folder, ids, reason }: KeeperArgs<"expireRecordings">): KeeperResult<"expireRecordings"> {
    this.#checkPresent(folder);
    const wanted = ids.filter((id) => !this.#catalog.retention.isRecordingPinned(id));
    const failed: KeeperResult<"expireRecordings">["failed"] = [];
    const gone: RecordingRow[] = [];
    for (const row of wanted.flatMap((id) => this.#recordings.find(id) ?? [])) {
      try {
        requireHere(row);
        removeRecordingFiles(folder, row.name);
        gone.push(row);
      } catch (error) {
        failed.push({ id: row.id, name: row.name, reason: toWavecacheError(error).message });
      }
    }
    this.#forget(folder, gone, reason);
    const bytes = gone.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
    return { ids: gone.map(({ id }) => id), bytes, failed };
  }

  /** Removes samples that the archive has (eviction/evict.ts). */
  async evict({ folder, ids }: KeeperArgs<"evictRecordings">): Promise<KeeperResult<"evictRecordings">> {
    return this.#isLost(folder) ? { count: 0, bytes: 0 } : await evictSamples(this.#catalog, folder, ids);
  }

  /** When the next recording starts, and the sessions of its hour that have several. */
  joinable({ from, hourMs }: KeeperArgs<"joinableSessions">): KeeperResult<"joinableSessions"> {
    const first = this.#catalog.joins.firstFrom(from);
    if (first === undefined) return null;
    const hour = first - (first % hourMs);
    return { from: hour, sessions: this.#catalog.joins.sessions(hour, hour + hourMs) };
  }

  /** Joins segments (joins/keeper.ts). Throws RECORDINGS_LOST. */
  async join(args: KeeperArgs<"joinRecordings">): Promise<KeeperResult<"joinRecordings">> {
    this.#checkPresent(args.folder);
    return await this.#joins.join(args);
  }

  /** Ends joins of an earlier run, or older ones. Throws RECORDINGS_LOST. */
  settleJoins({ folder, before }: KeeperArgs<"settleJoins">): null {
    this.#checkPresent(folder);
    this.#joins.settle(folder, before);
    return null;
  }

  /** Makes segments durable, then inserts the closed ones. */
  async sync(args: KeeperArgs<"syncRecordings">): Promise<KeeperResult<"syncRecordings">> {
    const { folder, open, suspect, ended } = args;
    this.#checkPresent(folder);
    const { entries: closed, losses } = await rewriteSuspects(folder, args.closed, new Set(suspect));
    await this.#sync(folder, [...open, ...closed.map((recording) => recording.name)]);
    this.#checkPresent(folder);
    this.#enter(closed, ended);
    return { losses };
  }

  /** Repairs segments that are not in the catalog, makes them durable and inserts them. */
  async repair({ folder, names }: KeeperArgs<"repairRecordings">): Promise<KeeperResult<"repairRecordings">> {
    this.#checkPresent(folder);
    const repaired: RecordingEntry[] = [];
    const evicted: EvictedRecording[] = [];
    const result = { entered: 0, removed: 0, damaged: [] as string[] };
    for (const name of names ?? listSegments(folder)) {
      if (this.#recordings.has(name) || this.#catalog.tasks.isRecordingRemoved(name)) continue;
      const archived =
        sizeOfFile(join(folder, `${name}.wav`)) === undefined ? readEvicted(folder, name) : undefined;
      if (archived !== undefined) {
        evicted.push(archived);
        continue;
      }
      const outcome = repairSegment(folder, name, this.#recordings.started(name));
      if (outcome === "removed") this.#recordings.abandon(name);
      if (outcome === "removed") result.removed += 1;
      else if (outcome === "damaged") result.damaged.push(name);
      else repaired.push(outcome);
    }
    result.entered = repaired.length + evicted.length;
    if (repaired.length > 0) {
      const files = repaired.map(({ name }) => name);
      await this.#sync(folder, files);
    }
    this.#enter(repaired, []);
    enterEvicted(this.#catalog, evicted);
    return result;
  }

  /** Throws RECORDINGS_LOST if the folder is not the one that it was at the first call. */
  #checkPresent(folder: string): void {
    if (this.#isLost(folder)) throw new WavecacheError("RECORDINGS_LOST", folder);
  }

  #isLost(folder: string): boolean {
    if (this.#watch === undefined && !fs.existsSync(folder)) return true;
    this.#watch ??= new FolderWatch([folder]);
    return this.#watch.lost() !== undefined;
  }

  /** Files of a folder that is not there say nothing about recordings. */
  async #lookedAt(folder: string, rows: RecordingRow[]): Promise<LookedAt> {
    const looked = await lookForFiles(folder, rows);
    if (this.#isLost(folder)) return { present: rows, gone: [], moved: [] };
    this.#note(looked.moved);
    return looked;
  }

  /** The archive is asked for samples that somebody removed here, and not for those that are here after all. */
  #note(moved: readonly RecordingRow[]): void {
    if (moved.length === 0) return;
    const { recordings: items } = this.#catalog.archive;
    this.#catalog.transaction(
      () => moved.forEach(({ id, archive }) => items.setLocal(id, archive!.isLocal)),
      false,
    );
  }

  /** Returns the names. Peaks without samples are of no use. */
  #forget(folder: string, recordings: readonly Forgotten[], reason: Reason = "files-gone"): string[] {
    if (recordings.length > 0) {
      this.#catalog.transaction(
        () => recordings.forEach((recording) => this.#remove(recording, reason)),
        false,
      );
    }
    for (const { name } of recordings) removeBeside(join(folder, name));
    return recordings.map(({ name }) => name);
  }

  #remove(recording: Forgotten, reason: Reason): void {
    this.#recordings.remove(recording.id);
    recordingRemoved(this.#catalog.events, recording, reason);
  }

  #enter(recordings: RecordingEntry[], ended: EndedConnection[]): void {
    if (recordings.length + ended.length === 0) return;
    this.#catalog.transaction(() => {
      for (const recording of recordings) {
        const { peaks } = recording;
        const isNew = !this.#recordings.has(recording.name);
        const id = this.#recordings.enter(recording);
        // The answer to an earlier call may have been lost after its commit.
        if (isNew) recordingClosed(this.#catalog.events, id, recording);
        if (peaks !== undefined) this.#catalog.overviews.enter(recording, peaks);
      }
      for (const connection of ended) this.#recordings.timeline.end(connection);
    }, true);
  }

  async #sync(folder: string, names: string[]): Promise<void> {
    failpoint("record.sync");
    if (await this.#syncFileSystem(folder)) return;
    const paths = names.flatMap((name) => [join(folder, `${name}.bin`), join(folder, `${name}.wav`)]);
    await Promise.all(paths.map(syncFileIfThere));
    for (const each of new Set([folder, ...paths.map((path) => dirname(path))])) syncFolder(each);
  }
}

/** A file that was removed in the meantime must not fail its group. */
async function syncFileIfThere(path: string): Promise<void> {
  try {
    await syncFile(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function nameOf({ name }: { name: string }): string {
  return name;
}

function isOwn({ otherNode }: { otherNode?: string }): boolean {
  return otherNode === undefined;
}

function removePairs(folder: string, recordings: readonly { name: string }[]): void {
  for (const { name } of recordings) removePair(join(folder, name));
  for (const each of new Set(recordings.map(({ name }) => dirname(join(folder, name))))) syncIfThere(each);
}

function removePair(path: string): void {
  removeFile(`${path}.bin`);
  removeFile(`${path}.wav`);
}

/** The folder of a device may be gone with its files. */
function syncIfThere(folder: string): void {
  try {
    syncFolder(folder);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
