/**
 * What was recorded: queries of the catalog, the files of finished recordings, and their removal. A look in the background
 * finds recordings whose files somebody removed.
 */
import { WavecacheError } from "../../base/errors.ts";
import {
  maxPeriodFollowers,
  maxPeriodMs,
  maxRemovedAtOnce,
  recordingLookMs,
  recordingsLookedAt,
} from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { RetentionReason } from "../../store/keeper-calls.ts";
import type { OpenElsewhere } from "../../store/recordings/open-elsewhere.ts";
import type { RecordingQuery, RecordingRow } from "../../store/recordings/catalog.ts";
import type { MeasuredFolders, MeasuredRef } from "../../store/recordings/peaks/files.ts";
import type { RangeLevels } from "../../store/recordings/peaks/levels-query.ts";
import type { RangePeaks } from "../../store/recordings/peaks/query.ts";
import type { SoundSpan, SpanQuery } from "../../store/recordings/sounds/catalog.ts";
import type { Period, RecordedSource } from "../../store/recordings/timeline/catalog.ts";
import { sanitizeHwid } from "../../wire/ingest.ts";
import { Reads } from "../retention/reads.ts";
import { FollowedPeriod } from "./by-time/followed-period.ts";
import { type GapRule, type Plan, type PlannedFormat, type PlanOptions, planPeriod } from "./by-time/plan.ts";
import {
  type ReadableRows,
  type SampledSegment,
  type UnenteredSegment,
  withWritten,
} from "./by-time/written.ts";
import { type Timeline, timelineOf } from "./by-time/timeline.ts";
import { type OpenedSamples, Samples, type SamplesArchive } from "./samples.ts";

/** What was removed, with both files of each recording. */
export interface Removal {
  removed: number;
  bytes: number;
}

/** The folder of all recordings. */
export interface RecordingsFolder {
  readonly path: string;
  /** False while the folder, or the store, is lost. */
  readonly isThere: boolean;
  /** True if the error says that the folder is lost; then nothing else is to be done about it. */
  noteLoss(error: unknown): boolean;
}

/** What is recorded now. */
export interface LiveAudio {
  /**
   * The audio of a device that the catalog may not have, and up to when it is known what the device sent, in µs since
   * 1970.
   */
  written(period: Period): Promise<{ segments: UnenteredSegment[]; knownUntilUs: number }>;
  /** The format of what a device sends now. */
  formatOf(period: Period): PlannedFormat | undefined;
}

export interface RecordedBase {
  keeper: KeeperClient;
  /** Undefined without an archive. */
  archive: SamplesArchive | undefined;
}

export class RecordingArchive {
  readonly #keeper: KeeperClient;
  readonly #folder: RecordingsFolder;
  readonly #live: LiveAudio;
  readonly #log: Log;
  readonly #onPeaksProblem: (reason: string) => void;
  readonly #samples: Samples;
  readonly #archive: SamplesArchive | undefined;
  /** By the ids of finished recordings. */
  readonly reads = new Reads<number>();
  readonly #irremovable = new Set<number>();
  #followers = 0;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  /** The last recording whose files were looked for, by id. */
  #lookedAt = 0;

  /** `onPeaksProblem`: the peaks of a recording cannot be written. */
  constructor(
    { keeper, archive }: RecordedBase,
    folder: RecordingsFolder,
    live: LiveAudio,
    log: Log,
    onPeaksProblem: (reason: string) => void,
  ) {
    this.#keeper = keeper;
    this.#archive = archive;
    this.#folder = folder;
    this.#live = live;
    this.#log = log;
    this.#onPeaksProblem = onPeaksProblem;
    this.#samples = new Samples({ keeper, archive, folder: folder.path }, log);
  }

  open(): void {
    this.#timer = setInterval(() => void this.#lookOnce(), recordingLookMs);
  }

  /** Clients that follow a period. */
  get followers(): number {
    return this.#followers;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    this.#samples.close();
  }

  async list(query: RecordingQuery): Promise<RecordingRow[]> {
    const folder = this.#folder.path;
    const { rows, removed } = await this.#keeper.call("listRecordings", { folder, query });
    this.#logRemoved(removed);
    return rows;
  }

  /** When a device sounded, and when it was silent. */
  async soundSpans({ name, ...query }: Omit<SpanQuery, "source"> & { name: string }): Promise<SoundSpan[]> {
    return await this.#keeper.call("listSoundSpans", { ...query, name: sanitizeHwid(name) ?? "" });
  }

  /** The devices, and streams without one, that there is audio of; `after` is a name of the page before. */
  async sources(after: string, limit: number): Promise<RecordedSource[]> {
    return await this.#keeper.call("recordedSources", { after, limit });
  }

  /** When there is audio of a device, or of a stream without one. Rejects with RECORDING_UNKNOWN. */
  async timeline(query: Period & { limit: number }): Promise<Timeline> {
    const rows = await this.#keeper.call("timeline", { ...query, name: sanitizeHwid(query.name) ?? "" });
    const timeline = timelineOf(rows, query.fromUs, query.toUs, query.limit);
    if (timeline === undefined) throw new WavecacheError("RECORDING_UNKNOWN");
    return timeline;
  }

  /**
   * The audio of a period. Rejects with RECORDING_UNKNOWN, RECORDING_GAP, FORMAT_CHANGES, READ_TOO_LARGE, and with
   * AUDIO_ELSEWHERE or ARCHIVE_UNAVAILABLE if some of it cannot be read here.
   */
  async plan(period: Period, options: Omit<PlanOptions, "fromUs" | "toUs">): Promise<Plan> {
    const { spans, segments } = await this.#read(restOf(period, options.following));
    return planPeriod(spans, segments, { ...options, fromUs: period.fromUs, toUs: period.toUs });
  }

  /** Up to when it is known what a device sent, in µs since 1970. */
  async knownUntil(period: Period): Promise<number> {
    const { knownUntilUs } = await this.#live.written(period);
    return knownUntilUs;
  }

  /**
   * Follows a period whose end is to come. The caller closes it. Rejects with RECORDING_UNKNOWN, FORMAT_CHANGES,
   * READ_TOO_LARGE, LISTENERS_EXHAUSTED.
   */
  async follow(period: Period, gaps: GapRule): Promise<FollowedPeriod> {
    if (this.#followers >= maxPeriodFollowers) throw new WavecacheError("LISTENERS_EXHAUSTED");
    this.#followers += 1;
    const release = () => void (this.#followers -= 1);
    try {
      const format = await this.#formatOf(period);
      if (period.toUs - period.fromUs > maxPeriodMs * 1000) throw new WavecacheError("READ_TOO_LARGE");
      return new FollowedPeriod(this, period, { gaps, format }, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** The format of a period, or else that of the device now, or before. */
  async #formatOf(period: Period): Promise<PlannedFormat> {
    const { spans } = await this.#read(period);
    const first = spans.toSorted((a, b) => a.startUs - b.startUs)[0] ?? this.#live.formatOf(period);
    if (first !== undefined) return first;
    const query = { ...period, name: sanitizeHwid(period.name) ?? "", limit: 1 };
    const { before } = await this.#keeper.call("timeline", query);
    if (before === undefined) throw new WavecacheError("RECORDING_UNKNOWN");
    return before;
  }

  /** Asks the writers first: what they complete meanwhile is in the catalog, or waits for it. */
  async #read(period: Period): Promise<ReadableRows> {
    const written = await this.#live.written(period);
    const named = { ...period, name: sanitizeHwid(period.name) ?? "" };
    const args = { ...named, folder: this.#folder.path };
    const { spans, segments, removed, openElsewhere } = await this.#keeper.call("readPeriod", args);
    this.#logRemoved(removed);
    for (const segment of segments) this.#samples.requireReadable(segment);
    requireNoneOpen(openElsewhere, written.segments, period);
    return withWritten({ spans, segments }, written.segments, period);
  }

  /** Removes a recording by its id, or all that lie within a period. Rejects with RECORDING_UNKNOWN. */
  async remove(what: number | Period): Promise<Removal> {
    const named = typeof what === "number" ? what : { ...what, name: sanitizeHwid(what.name) ?? "" };
    const args = { folder: this.#folder.path, what: named, limit: maxRemovedAtOnce };
    const total: Removal = { removed: 0, bytes: 0 };
    for (;;) {
      const { removed, bytes } = await this.#keeper.call("removeRecordings", args);
      total.removed += removed;
      total.bytes += bytes;
      if (removed < maxRemovedAtOnce) return total;
    }
  }

  /** A finished recording that can be read here. Rejects as `lookUp`, with AUDIO_ELSEWHERE, and with ARCHIVE_UNAVAILABLE. */
  async find(id: number): Promise<RecordingRow> {
    const row = await this.lookUp(id);
    this.#samples.requireReadable(row);
    return row;
  }

  /** A finished recording of whatever node. Rejects with RECORDING_UNKNOWN, also if its samples were removed. */
  async lookUp(id: number): Promise<RecordingRow> {
    const row = await this.#keeper.call("findRecording", { folder: this.#folder.path, id });
    if (row === null || row.missing?.includes("wav")) throw new WavecacheError("RECORDING_UNKNOWN");
    return row;
  }

  /**
   * How a device sounded in a range of time. `name` is its hardware id, or the stream id of one without. Rejects with
   * RECORDING_UNKNOWN if it has no finished recording there.
   */
  async peaks(name: string, range: { from: number; to: number; points: number }): Promise<RangePeaks> {
    const query = { name: sanitizeHwid(name) ?? "", ...range };
    const call = (folders: MeasuredFolders) => this.#keeper.call("peaksOfRange", { folders, query });
    const { peaks } = await this.#measured(call);
    if (peaks === null) throw new WavecacheError("RECORDING_UNKNOWN");
    return peaks;
  }

  /** How loud a device was in a range of time. As `peaks`. */
  async levels(name: string, range: { from: number; to: number; points: number }): Promise<RangeLevels> {
    const query = { name: sanitizeHwid(name) ?? "", ...range };
    const call = (folders: MeasuredFolders) => this.#keeper.call("levelsOfRange", { folders, query });
    const { levels } = await this.#measured(call);
    if (levels === null) throw new WavecacheError("RECORDING_UNKNOWN");
    return levels;
  }

  /** Calls again if the archive has brought something: values from the catalog have less detail. */
  async #measured<T extends { absent: readonly MeasuredRef[] }>(
    call: (folders: MeasuredFolders) => Promise<T>,
  ): Promise<T> {
    const folders = { recordings: this.#folder.path, fetched: this.#archive?.measuredFolder ?? "" };
    const found = await call(folders);
    const hasMore = found.absent.length > 0 && (await this.#archive?.bringMeasured(found.absent)) === true;
    return hasMore ? await call(folders) : found;
  }

  /**
   * The samples of a recording, which are right, unless it is still in progress. The caller closes them. Rejects with
   * OBJECT_DAMAGED and the like.
   */
  async openWav(row: SampledSegment): Promise<OpenedSamples> {
    const release = row.id === undefined ? () => {} : this.reads.hold(row.id);
    try {
      const opened = await this.#samples.open(row);
      opened.onClose(release);
      return opened;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Removes recordings that nobody reads and nobody has pinned. Resolves with those that it removed. */
  async removeTogether(
    all: readonly number[],
    reason: RetentionReason,
  ): Promise<{ ids: number[]; bytes: number }> {
    const ids = all.filter((id) => !this.reads.isInProgress(id) && !this.#irremovable.has(id));
    const folder = this.#folder.path;
    const { failed, ...removed } = await this.#keeper.call("expireRecordings", { folder, ids, reason });
    for (const { id, name, reason } of failed) {
      this.#irremovable.add(id);
      this.#log.warn("a recording cannot be removed; it is left alone until the next start", {
        name,
        reason,
      });
    }
    return removed;
  }

  /** Removal has failed, and would again. */
  isIrremovable(id: number): boolean {
    return this.#irremovable.has(id);
  }

  /** Single flight. */
  #lookOnce(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Looks for the files of a few recordings, in turns of all of them. */
  async #look(): Promise<void> {
    if (!this.#folder.isThere) return;
    const folder = this.#folder.path;
    const args = { folder, after: this.#lookedAt, limit: recordingsLookedAt };
    try {
      const { last, removed, peaksProblem } = await this.#keeper.call("lookAtRecordings", args);
      this.#lookedAt = last ?? 0;
      this.#logRemoved(removed);
      if (peaksProblem !== null) this.#onPeaksProblem(peaksProblem);
    } catch (error) {
      if (!this.#folder.noteLoss(error))
        this.#log.error("the files of recordings could not be looked for", { error });
    }
  }

  #logRemoved(names: string[]): void {
    if (names.length === 0) return;
    this.#log.warn("recordings without files are no longer listed: both files of each were removed", {
      count: names.length,
      first: names[0],
    });
  }
}

/**
 * Throws AUDIO_ELSEWHERE if another node has audio of the period that only it can read. A device that sends here since
 * before the period has none there.
 */
function requireNoneOpen(
  open: readonly OpenElsewhere[],
  written: readonly UnenteredSegment[],
  { fromUs }: Period,
): void {
  const sessions = written.map(({ placement }) => placement.sessionStartUs);
  const found = open.find(({ startUs }) => !sessions.some((atUs) => atUs > startUs && atUs <= fromUs));
  if (found !== undefined) throw new WavecacheError("AUDIO_ELSEWHERE", `node ${found.node} records it`);
}

/** The part of a period that is not planned yet. */
function restOf(period: Period, following: PlanOptions["following"]): Period {
  if (following === undefined) return period;
  const { cursor, format } = following;
  return { ...period, fromUs: period.fromUs + Math.floor((cursor * 1_000_000) / format.sampleRate) };
}
