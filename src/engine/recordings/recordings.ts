/** The rules about recordings in progress: admission of streams and listeners, periodic syncs, and repair after failures. */
import { randomUUID } from "node:crypto";
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxLiveListeners } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import type { Tracer } from "../../base/tracing/tracer.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import type { RecordingEntry, StartedSegment } from "../../base/recording-entry.ts";
import { clockAheadMs, sharedNow } from "../../base/system/shared-clock.ts";
import type { Bus } from "../../bus/bus.ts";
import type { NibbleOrder } from "../../codec/ima-adpcm.ts";
import type { SoundThreshold } from "../../codec/peaks/sound-detector.ts";
import type { RecordingSpec, SoundNews } from "../../lane/messages/recordings.ts";
import type { Pool } from "../../pool/pool.ts";
import type { LiveEncoding, LiveEncodingEvents } from "../../pool/live-encodings.ts";
import type { LiveTask } from "../../store/sounds/encoder-calls.ts";
import type { RecordingEvents, RecordingSlot } from "../../pool/recording-slot.ts";
import { codecPcm16, type Handshake, sanitizeHwid } from "../../wire/ingest.ts";
import type { LiveStream } from "../../store/events/facts.ts";
import type { AccountStorage } from "../streams/account-storage.ts";
import type { StoreConditions } from "../store-conditions.ts";
import { SoundSpans } from "./sound-spans.ts";
import type { Period, SessionEnd } from "../../store/recordings/timeline/catalog.ts";
import { RecordingArchive, type RecordingsFolder } from "./archive.ts";
import type { PlannedFormat } from "./by-time/plan.ts";
import type { UnenteredSegment } from "./by-time/written.ts";
import { Compactor, type CompactorSettings } from "./compactor.ts";
import type { SamplesArchive } from "./samples.ts";
import { SegmentSync } from "./segment-sync.ts";
import { ClusterRecordings } from "./remote/cluster-recordings.ts";
import type { Metered } from "./remote/level-sharing.ts";
import type { RemoteRecording } from "./remote/remote-recording.ts";
import { Recording, type RecordingHost, type RecordingOwner } from "./recording.ts";

/** What recordings are built on. */
export interface RecordingsBase {
  pool: Pool;
  /** Undefined without an archive. */
  samples: SamplesArchive | undefined;
  conditions: StoreConditions;
  accounts: Pick<AccountStorage, "begin" | "isLimited" | "check" | "refuseWrite" | "entered">;
  tracer: Tracer;
  /** Reaches the other nodes; undefined on a single machine. */
  bus: Bus | undefined;
}

export interface RecordingSettings {
  /** The folder of all recordings. */
  folder: string;
  rotateMs: number;
  syncMs: number;
  /** The nibble order of ADPCM; undefined: detected per stream. */
  nibbles: NibbleOrder | undefined;
  fillGaps: boolean;
  compact: CompactorSettings;
  /** What counts as sound, of a device with this sanitised hardware id. */
  thresholdOf(hwid: string | null): SoundThreshold;
}

export interface RecordingsFigures {
  running: number;
  /** Live listeners to all recordings. */
  listeners: number;
  /** Live audio that writers skipped because their lanes were full. */
  skippedLiveBytes: number;
  /** Recordings of other nodes that are listened to here, and of this node that others listen to. */
  remote: number;
  shared: number;
  /** Clients that follow live levels, and periods. */
  levelListeners: number;
  periodFollowers: number;
  /** Changes between sound and silence that are not in the catalog yet. */
  unsavedSounds: number;
}

const noneShared = { listeners: 0, remote: 0, shared: 0 };

/** A recording in progress, at this node or at another one. */
export type HeardRecording = Pick<Recording | RemoteRecording, "hwid" | "handshake" | "live" | "opus">;

export class Recordings implements RecordingHost {
  readonly log: Log;
  readonly tracer: Tracer;
  readonly #pool: Pool;
  readonly #conditions: StoreConditions;
  readonly #accounts: RecordingsBase["accounts"];
  readonly #settings: RecordingSettings;
  /** Oldest first; some may still be ending. */
  readonly #all = new Set<Recording>();
  /** Recordings of which the catalog does not have everything; they may have ended. */
  readonly #unentered = new Set<Recording>();
  /** By the segments that wait for their sync. */
  readonly #waiting = new Map<string, Recording>();
  /** Identifies this run of the server. */
  readonly #run = randomUUID();
  readonly #rateLimitedLog: RateLimitedLog;
  /** When devices sound, and when they are silent. */
  readonly sounds: SoundSpans;
  #timer: Timer | undefined;
  /** What was recorded. */
  readonly archive: RecordingArchive;
  readonly #sync: SegmentSync;
  readonly #compactor: Compactor;
  /** Undefined on a single machine. */
  readonly #cluster: ClusterRecordings | undefined;
  #saving: Promise<void> | undefined;
  #closing = false;
  #skippedLiveBytes = 0;
  #levelListeners = 0;

  constructor(
    { pool, samples, conditions, accounts, tracer, bus }: RecordingsBase,
    settings: RecordingSettings,
    log: Log,
  ) {
    this.#pool = pool;
    this.#conditions = conditions;
    this.#accounts = accounts;
    this.#settings = settings;
    this.log = log;
    this.tracer = tracer;
    this.#rateLimitedLog = new RateLimitedLog(log);
    this.sounds = new SoundSpans(pool.keeper, this.#rateLimitedLog);
    const folder = this.#folder();
    const base = { keeper: pool.keeper, archive: samples };
    this.archive = new RecordingArchive(base, folder, this, log, (reason) => this.#logPeaksProblem(reason));
    this.#sync = new SegmentSync(pool.keeper, folder, this, log);
    this.#compactor = new Compactor(pool.keeper, folder, settings.compact, log);
    this.#cluster = bus && new ClusterRecordings(bus, this, (name) => this.#find(name), log);
  }

  /** Repairs the segments of an earlier run. Call it once the store is open. */
  async open(): Promise<void> {
    await this.#compactor.settle();
    await this.#repair(null);
    await this.#endSounds();
    this.#timer = setInterval(() => void this.#save(), this.#settings.syncMs);
    this.archive.open();
    this.#compactor.open();
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
      clockAheadMs: clockAheadMs(),
    };
    const recording = new Recording(spec, owner, this);
    this.#all.add(recording);
    this.#count(recording);
    this.#cluster?.add(recording);
    return recording;
  }

  /** Counts what is recorded until the catalog has it. */
  #count(recording: Recording): void {
    const { unentered, account } = recording;
    this.#unentered.add(recording);
    void unentered.over.then(() => this.#unentered.delete(recording));
    this.#accounts.begin(unentered, account);
    if (this.#accounts.isLimited(unentered)) void recording.admit(this.#accounts.check(unentered, undefined));
  }

  refuseWrite({ unentered }: Recording, bytes: number): WavecacheError | undefined {
    return this.#accounts.refuseWrite(unentered, bytes);
  }

  /**
   * Finds a running recording by hardware id, or else by stream id, here or at another node: the newest one, since a
   * device that reconnects leaves its old connection behind. Rejects with RECORDING_UNKNOWN, LISTENERS_EXHAUSTED,
   * NODE_UNREACHABLE.
   */
  async listen(name: string): Promise<HeardRecording> {
    const recording = this.#find(name) ?? (await this.#cluster?.find(sanitizeHwid(name) ?? name));
    if (recording === undefined) throw new WavecacheError("RECORDING_UNKNOWN");
    if (this.figures().listeners >= maxLiveListeners) throw new WavecacheError("LISTENERS_EXHAUSTED");
    return recording;
  }

  /** The recordings in progress. */
  running(): Iterable<Recording> {
    return this.#all;
  }

  /** The recordings in progress, those of other nodes while somebody follows levels. */
  *metered(): Iterable<Metered> {
    yield* this.#all;
    if (this.#cluster !== undefined) yield* this.#cluster.metered();
  }

  figures(): RecordingsFigures {
    const { listeners: remoteListeners, remote, shared } = this.#cluster?.figures ?? noneShared;
    let listeners = remoteListeners;
    for (const recording of this.#all) listeners += recording.listeners;
    return {
      running: this.#all.size,
      listeners,
      skippedLiveBytes: this.#skippedLiveBytes,
      remote,
      shared,
      levelListeners: this.#levelListeners,
      periodFollowers: this.archive.followers,
      unsavedSounds: this.sounds.unsaved,
    };
  }

  /** Ends every recording, and enters its segments in the catalog. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#cluster?.close();
    clearInterval(this.#timer);
    await this.#compactor.close();
    await this.archive.close();
    const recordings = [...this.#all];
    for (const recording of recordings) recording.shutDown();
    await Promise.all(recordings.map((recording) => recording.over));
    await this.#saving;
    await this.#save();
  }

  openSlot(spec: RecordingSpec, events: RecordingEvents): RecordingSlot {
    return this.#pool.writers.record(spec, events);
  }

  encodeLive(task: LiveTask, events: LiveEncodingEvents): LiveEncoding {
    return this.#pool.encoders.encodeLive(task, events);
  }

  countLevelListeners(count: number): void {
    this.#levelListeners = count;
    this.#cluster?.wantLevels(count > 0);
  }

  countSkippedLive(bytes: number): void {
    this.#skippedLiveBytes += bytes;
  }

  addSegment(segment: RecordingEntry, recording: Recording): void {
    this.#waiting.set(segment.name, recording);
    const problem = segment.peaks?.problem;
    if (problem !== undefined) this.#logPeaksProblem(problem);
    this.#sync.add(segment);
  }

  /** Without this a repair would place the segment by its name alone, which has whole seconds. */
  addStarted(started: StartedSegment, { hwid: device, handshake, account }: Recording): void {
    const segment = account === undefined ? started : { ...started, account: account.id };
    const { streamId, sampleRate, channels } = handshake;
    const live: LiveStream = {
      device,
      streamId,
      codec: handshake.codec === codecPcm16 ? "pcm" : "adpcm",
      sampleRate,
      channels,
    };
    this.#pool.keeper.call("startSegment", { segment, live, at: sharedNow() }).catch((error: unknown) => {
      this.#rateLimitedLog.warn("the start of a segment could not be kept", { error, name: segment.name });
    });
  }

  noteSound(recording: Recording, news: SoundNews): void {
    this.sounds.change(recording, news);
  }

  release(recording: Recording, unfinished: string[]): void {
    this.sounds.release(recording, sharedNow());
    this.#all.delete(recording);
    this.#cluster?.remove(recording);
    const reason: SessionEnd = this.#closing || recording.hasFailed ? "server" : "device";
    this.#sync.connectionEnded({ connection: recording.connection, reason });
    if (unfinished.length > 0) void this.#repair(unfinished);
  }

  #find(name: string): Recording | undefined {
    const hwid = sanitizeHwid(name);
    return (
      this.#newestRunning((each) => each.hwid !== null && each.hwid === hwid) ??
      this.#newestRunning((each) => String(each.handshake.streamId) === name)
    );
  }

  #newestRunning(matches: (recording: Recording) => boolean): Recording | undefined {
    return [...this.#all].findLast((each) => each.isRunning && matches(each));
  }

  /** What is running is asked at once, so that no segment is missed between the answers and those that wait. */
  async written(period: Period): Promise<{ segments: UnenteredSegment[]; knownUntilUs: number }> {
    const nowUs = sharedNow() * 1000;
    const running = this.#sendersOf(period);
    const looks = await Promise.all(running.map((recording) => recording.look()));
    const open = looks.flatMap(({ segments }, index) => {
      const { streamId, sampleRate, channels } = running[index]!.handshake;
      return segments.map((segment) => ({ ...segment, streamId, sampleRate, channels, wav: undefined }));
    });
    const waiting = this.#sync.waiting.filter(({ device, streamId }) => isOf(period, device, streamId));
    const knownUntilUs = Math.min(...looks.map((look) => look.knownUntilUs ?? nowUs));
    return { segments: [...waiting, ...open], knownUntilUs: running.length === 0 ? nowUs : knownUntilUs };
  }

  formatOf(period: Period): PlannedFormat | undefined {
    return this.#sendersOf(period).at(-1)?.handshake;
  }

  *unfinished(): Iterable<string> {
    for (const recording of this.#all) yield* recording.unfinished;
  }

  entered(names: readonly string[]): void {
    for (const name of names) {
      const unentered = this.#waiting.get(name)?.unentered;
      this.#waiting.delete(name);
      if (unentered === undefined) continue;
      this.#accounts.entered(unentered, unentered.bytesOf(name));
      unentered.enter(name);
    }
  }

  /** The bytes that the catalog does not have yet, by the name that patterns match: the device, or else the stream id. */
  *unentered(): Iterable<{ name: string; bytes: number }> {
    for (const { hwid, handshake, unentered } of this.#unentered)
      yield { name: hwid ?? String(handshake.streamId), bytes: unentered.receivedBytes };
  }

  splitAll(): void {
    for (const recording of this.#all) recording.split();
  }

  #sendersOf(period: Period): Recording[] {
    return [...this.#all].filter(({ hwid, handshake }) => isOf(period, hwid, handshake.streamId));
  }

  #folder(): RecordingsFolder {
    const isThere = () => !this.#conditions.has("STORE_LOST") && !this.#conditions.has("RECORDINGS_LOST");
    return {
      path: this.#settings.folder,
      get isThere() {
        return isThere();
      },
      noteLoss: (error) => this.#noteLoss(error),
    };
  }

  /** Single flight. */
  #save(): Promise<void> {
    this.#saving ??= this.#saveAll().finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #saveAll(): Promise<void> {
    await this.#sync.sync();
    await this.sounds.save();
  }

  #logPeaksProblem(reason: string): void {
    this.#rateLimitedLog.warn("the peaks of a recording cannot be written; they are made again later", {
      reason,
    });
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

/** Whether audio of a device, or of a stream without one, is of the name and the stream that a period asks for. */
function isOf({ name, streamId }: Period, device: string | null, ofStream: number): boolean {
  const source = device ?? String(ofStream);
  return source === sanitizeHwid(name) && (streamId === undefined || streamId === ofStream);
}
