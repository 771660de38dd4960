/**
 * The rules about recordings: admission of streams and listeners, periodic syncs, catalog entries for complete segments,
 * and repair of unfinished ones.
 */
import { randomUUID } from "node:crypto";
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import {
  maxLiveListeners,
  maxRemovedAtOnce,
  maxUnenteredSegments,
  recordingLookMs,
  recordingsLookedAt,
} from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import type { RecordingEntry, StartedSegment } from "../../base/recording-entry.ts";
import type { NibbleOrder } from "../../codec/ima-adpcm.ts";
import type { SoundThreshold } from "../../codec/peaks/sound-detector.ts";
import type { RecordingSpec, SoundNews } from "../../lane/messages/recordings.ts";
import type { Pool } from "../../pool/pool.ts";
import type { RecordingEvents, RecordingSlot } from "../../pool/recording-slot.ts";
import type { RetentionReason } from "../../store/keeper-calls.ts";
import type { RecordingQuery, RecordingRow } from "../../store/recordings/catalog.ts";
import { codecPcm16, type Handshake, sanitizeHwid } from "../../wire/ingest.ts";
import type { LiveStream } from "../../store/events/facts.ts";
import type { RangePeaks } from "../../store/recordings/peaks/query.ts";
import { Reads } from "../retention/reads.ts";
import type { StoreConditions } from "../store-conditions.ts";
import type { OpenedFile } from "../../store/library/file.ts";
import type { SoundSpan, SpanQuery } from "../../store/recordings/sounds/catalog.ts";
import { SoundSpans } from "./sound-spans.ts";
import type { EndedConnection, Period, SessionEnd } from "../../store/recordings/timeline/catalog.ts";
import { type Plan, type PlanOptions, planPeriod } from "./by-time/plan.ts";
import { type Timeline, timelineOf } from "./by-time/timeline.ts";
import { WavFiles } from "./wav-files.ts";
import { Recording, type RecordingHost, type RecordingOwner } from "./recording.ts";

export interface RecordingSettings {
  /** The folder of all recordings. */
  folder: string;
  rotateMs: number;
  syncMs: number;
  /** The nibble order of ADPCM; undefined: detected per stream. */
  nibbles: NibbleOrder | undefined;
  fillGaps: boolean;
  /** What counts as sound, of a device with this sanitised hardware id. */
  thresholdOf(hwid: string | null): SoundThreshold;
}

/** What was removed, with both files of each recording. */
export interface Removal {
  removed: number;
  bytes: number;
}

export interface RecordingsFigures {
  running: number;
  /** Live listeners to all recordings. */
  listeners: number;
  /** Live audio that writers skipped because their lanes were full. */
  skippedLiveBytes: number;
}

export class Recordings implements RecordingHost {
  readonly log: Log;
  /** By the ids of finished recordings. */
  readonly reads = new Reads<number>();
  readonly #pool: Pool;
  readonly #conditions: StoreConditions;
  readonly #settings: RecordingSettings;
  /** Oldest first; some may still be ending. */
  readonly #all = new Set<Recording>();
  /** Complete segments that are not in the catalog yet, oldest first. */
  #unentered: RecordingEntry[] = [];
  /** Segments that a sync has failed for: Linux may have dropped what it could not write. */
  readonly #suspect = new Set<string>();
  /** Connections that ended since the last sync. */
  #ended: EndedConnection[] = [];
  /** Identifies this run of the server. */
  readonly #run = randomUUID();
  readonly #rateLimitedLog: RateLimitedLog;
  /** When devices sound, and when they are silent. */
  readonly sounds: SoundSpans;
  readonly #timers: Timer[] = [];
  readonly #wavFiles: WavFiles;
  readonly #irremovable = new Set<number>();
  #syncing: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  /** The last recording whose files were looked for, by id. */
  #lookedAt = 0;
  #closing = false;
  #skippedLiveBytes = 0;

  constructor(pool: Pool, conditions: StoreConditions, settings: RecordingSettings, log: Log) {
    this.#pool = pool;
    this.#conditions = conditions;
    this.#settings = settings;
    this.log = log;
    this.#rateLimitedLog = new RateLimitedLog(log);
    this.sounds = new SoundSpans(pool.keeper, this.#rateLimitedLog);
    this.#wavFiles = new WavFiles(settings.folder, log);
  }

  /** Repairs the segments of an earlier run. Call it once the store is open. */
  async open(): Promise<void> {
    await this.#repair(null);
    await this.#endSounds();
    this.#timers.push(setInterval(() => void this.#syncOnce(), this.#settings.syncMs));
    this.#timers.push(setInterval(() => void this.#lookOnce(), recordingLookMs));
  }

  /**
   * Starts to record a stream. `hwid` is the unsanitised id of the device. Throws SHUTTING_DOWN, RECORDINGS_LOST,
   * WORKER_LOST.
   */
  start(handshake: Handshake, hwid: string, owner: RecordingOwner): Recording {
    if (this.#closing) throw new WavecacheError("SHUTTING_DOWN");
    this.#conditions.refuse("RECORDINGS_LOST");
    const { folder, rotateMs, nibbles, fillGaps, thresholdOf } = this.#settings;
    const device = sanitizeHwid(hwid) ?? null;
    const spec: RecordingSpec = {
      handshake,
      hwid: device,
      folder,
      rotateMs,
      nibbles: nibbles ?? null,
      fillGaps,
      threshold: thresholdOf(device),
      connection: randomUUID(),
      run: this.#run,
    };
    const recording = new Recording(spec, owner, this);
    this.#all.add(recording);
    return recording;
  }

  /**
   * Finds a running recording by hardware id, or else by stream id: the newest one, since a device that reconnects
   * leaves its old connection behind. Throws RECORDING_UNKNOWN, LISTENERS_EXHAUSTED.
   */
  listen(name: string): Recording {
    const hwid = sanitizeHwid(name);
    const recording =
      this.#newestRunning((each) => each.hwid !== null && each.hwid === hwid) ??
      this.#newestRunning((each) => String(each.handshake.streamId) === name);
    if (recording === undefined) throw new WavecacheError("RECORDING_UNKNOWN");
    if (this.figures().listeners >= maxLiveListeners) throw new WavecacheError("LISTENERS_EXHAUSTED");
    return recording;
  }

  async list(query: RecordingQuery): Promise<RecordingRow[]> {
    const { folder } = this.#settings;
    const { rows, removed } = await this.#pool.keeper.call("listRecordings", { folder, query });
    this.#logRemoved(removed);
    return rows;
  }

  /** The recordings in progress. */
  running(): Iterable<Recording> {
    return this.#all;
  }

  /** When a device sounded, and when it was silent. */
  async soundSpans({ name, ...query }: Omit<SpanQuery, "source"> & { name: string }): Promise<SoundSpan[]> {
    return await this.#pool.keeper.call("listSoundSpans", { ...query, name: sanitizeHwid(name) ?? "" });
  }

  /** When there is audio of a device, or of a stream without one. Rejects with RECORDING_UNKNOWN. */
  async timeline(query: Period & { limit: number }): Promise<Timeline> {
    const rows = await this.#pool.keeper.call("timeline", { ...query, name: sanitizeHwid(query.name) ?? "" });
    const timeline = timelineOf(rows, query.fromUs, query.toUs, query.limit);
    if (timeline === undefined) throw new WavecacheError("RECORDING_UNKNOWN");
    return timeline;
  }

  /**
   * The audio of a period. Rejects with RECORDING_UNKNOWN, RECORDING_GAP, FORMAT_CHANGES, READ_TOO_LARGE.
   */
  async plan(period: Period, options: Omit<PlanOptions, "fromUs" | "toUs">): Promise<Plan> {
    const { folder } = this.#settings;
    const named = { ...period, name: sanitizeHwid(period.name) ?? "" };
    const { spans, segments, removed } = await this.#pool.keeper.call("readPeriod", { ...named, folder });
    this.#logRemoved(removed);
    return planPeriod(spans, segments, { ...options, fromUs: period.fromUs, toUs: period.toUs });
  }

  /** Removes a recording by its id, or all that lie within a period. Rejects with RECORDING_UNKNOWN. */
  async remove(what: number | Period): Promise<Removal> {
    const named = typeof what === "number" ? what : { ...what, name: sanitizeHwid(what.name) ?? "" };
    const args = { folder: this.#settings.folder, what: named, limit: maxRemovedAtOnce };
    const total: Removal = { removed: 0, bytes: 0 };
    for (;;) {
      const { removed, bytes } = await this.#pool.keeper.call("removeRecordings", args);
      total.removed += removed;
      total.bytes += bytes;
      if (removed < maxRemovedAtOnce) return total;
    }
  }

  /** A finished recording. Rejects with RECORDING_UNKNOWN, also if its samples were removed. */
  async find(id: number): Promise<RecordingRow> {
    const row = await this.#pool.keeper.call("findRecording", { folder: this.#settings.folder, id });
    if (row === null || row.missing?.includes("wav")) throw new WavecacheError("RECORDING_UNKNOWN");
    return row;
  }

  /**
   * How a device sounded in a range of time. `name` is its hardware id, or the stream id of one without. Rejects with
   * RECORDING_UNKNOWN if it has no finished recording there.
   */
  async peaks(name: string, range: { from: number; to: number; points: number }): Promise<RangePeaks> {
    const query = { name: sanitizeHwid(name) ?? "", ...range };
    const { folder } = this.#settings;
    const peaks = await this.#pool.keeper.call("peaksOfRange", { folder, query });
    if (peaks === null) throw new WavecacheError("RECORDING_UNKNOWN");
    return peaks;
  }

  /** The samples of a recording, which are right. The caller closes the file. Rejects with OBJECT_DAMAGED and the like. */
  async openWav(row: Pick<RecordingRow, "id" | "name" | "wav">): Promise<OpenedFile> {
    const release = this.reads.hold(row.id);
    try {
      const file = await this.#wavFiles.open(row.name, row.wav);
      file.onClose(release);
      return file;
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
    const { folder } = this.#settings;
    const { failed, ...removed } = await this.#pool.keeper.call("expireRecordings", { folder, ids, reason });
    for (const { id, name, reason } of failed) {
      this.#irremovable.add(id);
      this.log.warn("a recording cannot be removed; it is left alone until the next start", { name, reason });
    }
    return removed;
  }

  /** Removal has failed, and would again. */
  isIrremovable(id: number): boolean {
    return this.#irremovable.has(id);
  }

  figures(): RecordingsFigures {
    let listeners = 0;
    for (const { live } of this.#all) listeners += live.listeners;
    return { running: this.#all.size, listeners, skippedLiveBytes: this.#skippedLiveBytes };
  }

  /** Ends every recording, and enters its segments in the catalog. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#looking;
    const recordings = [...this.#all];
    for (const recording of recordings) recording.end();
    await Promise.all(recordings.map((recording) => recording.over));
    await this.#syncing;
    await this.#syncOnce();
  }

  openSlot(spec: RecordingSpec, events: RecordingEvents): RecordingSlot {
    return this.#pool.writers.record(spec, events);
  }

  countSkippedLive(bytes: number): void {
    this.#skippedLiveBytes += bytes;
  }

  addSegment(segment: RecordingEntry): void {
    const problem = segment.peaks?.problem;
    if (problem !== undefined) this.#logPeaksProblem(problem);
    this.#unentered.push(segment);
  }

  /** Without this a repair would place the segment by its name alone, which has whole seconds. */
  addStarted(segment: StartedSegment, { hwid: device, handshake }: Recording): void {
    const { streamId, sampleRate, channels } = handshake;
    const live: LiveStream = {
      device,
      streamId,
      codec: handshake.codec === codecPcm16 ? "pcm" : "adpcm",
      sampleRate,
      channels,
    };
    this.#pool.keeper.call("startSegment", { segment, live, at: Date.now() }).catch((error: unknown) => {
      this.#rateLimitedLog.warn("the start of a segment could not be kept", { error, name: segment.name });
    });
  }

  noteSound(recording: Recording, news: SoundNews): void {
    this.sounds.change(recording, news);
  }

  release(recording: Recording, unfinished: string[]): void {
    this.sounds.release(recording, Date.now());
    this.#all.delete(recording);
    const reason: SessionEnd = this.#closing || recording.hasFailed ? "server" : "device";
    this.#ended.push({ connection: recording.connection, reason });
    if (unfinished.length > 0) void this.#repair(unfinished);
  }

  #newestRunning(matches: (recording: Recording) => boolean): Recording | undefined {
    return [...this.#all].findLast((each) => each.isRunning && matches(each));
  }

  /** Single flight: a segment that is added during a sync goes with the next one. */
  #syncOnce(): Promise<void> {
    this.#syncing ??= this.#syncAll().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  async #syncAll(): Promise<void> {
    await this.#sync();
    await this.sounds.save();
  }

  async #sync(): Promise<void> {
    const closed = this.#unentered;
    const open: string[] = [];
    for (const recording of this.#all) open.push(...recording.unfinished);
    const ended = this.#ended;
    if (closed.length + open.length + ended.length === 0) return;
    if (this.#conditions.has("STORE_LOST") || this.#conditions.has("RECORDINGS_LOST")) return;
    this.#unentered = [];
    this.#ended = [];
    const names = closed.map(({ name }) => name);
    const suspect = names.filter((name) => this.#suspect.has(name));
    try {
      const args = { folder: this.#settings.folder, open, closed, suspect, ended };
      const { losses } = await this.#pool.keeper.call("syncRecordings", args);
      for (const name of suspect) this.#suspect.delete(name);
      for (const loss of losses)
        this.log.error("audio of a recording was lost: its sync had failed", { ...loss });
    } catch (error) {
      this.#unentered = [...closed, ...this.#unentered];
      this.#ended = [...ended, ...this.#ended].slice(-maxUnenteredSegments);
      if (this.#noteLoss(error)) return;
      this.#suspectAll([...open, ...names]);
      const left = this.#unentered.splice(0, Math.max(0, this.#unentered.length - maxUnenteredSegments));
      for (const { name } of left) this.#suspect.delete(name);
      this.log.error("recordings could not be synced", {
        error,
        waiting: this.#unentered.length,
        leftToTheNextStart: left.length,
      });
    }
  }

  /** Closed segments are written anew at the next sync, so what is being recorded continues in new ones. */
  #suspectAll(names: string[]): void {
    for (const name of names) this.#suspect.add(name);
    for (const recording of this.#all) recording.split();
  }

  /** A full disk does not prevent the start. */
  async #endSounds(): Promise<void> {
    try {
      await this.sounds.endAll();
    } catch (error) {
      this.log.warn("spans of sound and silence of an earlier run could not be ended", { error });
    }
  }

  /** Finishes segments: those with these names, or all unfinished ones of an earlier run. */
  async #repair(names: string[] | null): Promise<void> {
    try {
      const { folder } = this.#settings;
      const { damaged, ...counts } = await this.#pool.keeper.call("repairRecordings", { folder, names });
      if (counts.entered + counts.removed > 0) this.log.info("recordings repaired", counts);
      for (const name of damaged)
        this.log.warn("an unknown file among the recordings was left alone", { name });
    } catch (error) {
      if (!this.#noteLoss(error)) this.log.error("recordings could not be repaired", { error });
    }
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
    if (this.#conditions.has("STORE_LOST") || this.#conditions.has("RECORDINGS_LOST")) return;
    const { folder } = this.#settings;
    const args = { folder, after: this.#lookedAt, limit: recordingsLookedAt };
    try {
      const { last, removed, peaksProblem } = await this.#pool.keeper.call("lookAtRecordings", args);
      this.#lookedAt = last ?? 0;
      this.#logRemoved(removed);
      if (peaksProblem !== null) this.#logPeaksProblem(peaksProblem);
    } catch (error) {
      if (!this.#noteLoss(error))
        this.log.error("the files of recordings could not be looked for", { error });
    }
  }

  #logPeaksProblem(reason: string): void {
    this.#rateLimitedLog.warn("the peaks of a recording cannot be written; they are made again later", {
      reason,
    });
  }

  #logRemoved(names: string[]): void {
    if (names.length === 0) return;
    this.log.warn("recordings without files are no longer listed: both files of each were removed", {
      count: names.length,
      first: names[0],
    });
  }

  /** The folder of recordings was removed or replaced: whatever is still recorded would be lost. */
  #noteLoss(error: unknown): boolean {
    const failure = toWavecacheError(error);
    if (failure.code === "STORE_LOST") return true;
    if (failure.code !== "RECORDINGS_LOST") return false;
    this.#conditions.change("RECORDINGS_LOST", this.#settings.folder);
    for (const recording of this.#all) recording.failed(failure);
    return true;
  }
}
