/** The parts of the engine: first built, so that the gateways can take their ports, then opened. */
import { openLog } from "../base/log/log.ts";
import type { Tracer } from "../base/tracing/tracer.ts";
import type { Readiness } from "../base/readiness.ts";
import type { Bus } from "../bus/bus.ts";
import type { Pool } from "../pool/pool.ts";
import type { CacheLayout } from "../store/layout.ts";
import { recordingSubject } from "../store/events/facts.ts";
import type { Library } from "../store/library/library.ts";
import { Archive, type ArchiveSettings } from "./archive/archive.ts";
import { noteMissingArchive } from "./archive/missing-archive.ts";
import { catalogStore, Devices, type DeviceSettings } from "./devices/devices.ts";
import { ClusterDevices } from "./devices/remote/cluster-devices.ts";
import { DeviceCommands } from "./devices/remote/device-commands.ts";
import { Commands, type CommandSettings } from "./events/delivery/command.ts";
import { ConsumerClaims } from "./events/delivery/consumer-claims.ts";
import { Hooks, type HooksSettings } from "./events/delivery/hooks.ts";
import { EventLog, type EventLogSettings } from "./events/event-log.ts";
import { ChangeNews } from "./nodes/change-news.ts";
import { NodeTasks } from "./nodes/node-tasks.ts";
import { AudioPeaks } from "./peaks/audio-peaks.ts";
import { SoundPeaks } from "./peaks/sound-peaks.ts";
import { Recordings, type RecordingSettings } from "./recordings/recordings.ts";
import { Retention, type RetentionSettings } from "./retention/retention.ts";
import { SongUploads, type SongUploadSettings } from "./songs/song-uploads.ts";
import { Songs } from "./songs/songs.ts";
import { StoreConditions } from "./store-conditions.ts";
import { soundNames, Sounds } from "./sounds/sounds.ts";
import { StreamAudios } from "./streams/stream-audio.ts";
import type { StreamsSettings } from "./streams/streams-settings.ts";
import { Streams } from "./streams/streams.ts";

export interface Engine {
  streams: Streams;
  streamAudio: StreamAudios;
  recordings: Recordings;
  songs: Songs;
  songUploads: SongUploads;
  peaks: AudioPeaks;
  sounds: Sounds;
  devices: Devices;
  /** Those of all nodes. */
  clusterDevices: ClusterDevices;
  deviceCommands: DeviceCommands;
  events: EventLog;
  retention: Retention;
  claims: ConsumerClaims;
  hooks: Hooks;
  commands: Commands;
  /** Undefined without one. */
  archive: Archive | undefined;
  nodeTasks: NodeTasks;
  /** Undefined on a single machine. */
  changeNews: ChangeNews | undefined;
  /** Without one: audio may be there all the same. */
  noteMissingArchive(): Promise<void>;
}

export interface EngineSettings {
  streams: StreamsSettings;
  recordings: RecordingSettings;
  songs: SongUploadSettings;
  devices: DeviceSettings;
  events: EventLogSettings;
  retention: Pick<RetentionSettings, "policies">;
  hooks: HooksSettings;
  command: CommandSettings | undefined;
  archive: ArchiveSettings;
  /** File names by mode that replace the usual ones. */
  sounds: ReadonlyMap<number, string>;
}

/** What the engine is built on. */
export interface EngineBase {
  pool: Pool;
  layout: CacheLayout;
  library: Library;
  readiness: Readiness;
  tracer: Tracer;
  /** Reaches the other nodes; undefined on a single machine. */
  bus: Bus | undefined;
}

/** Builds the parts. Before `openEngine` they refuse all work, and nothing on the disk changes. */
export function buildEngine(base: EngineBase, settings: EngineSettings): Engine {
  const { pool, layout, library, readiness, tracer, bus } = base;
  const events = new EventLog(pool.keeper, settings.events, openLog("events"));
  const conditions = new StoreConditions(readiness, events, openLog("store"));
  const streams = new Streams({ pool, layout, conditions, tracer, bus }, settings.streams, openLog("engine"));
  const archive = buildArchive(base, streams, settings);
  const readers = archive ?? pool.readers;
  const streamAudio = new StreamAudios(readers, streams);
  const recordings = new Recordings(
    { pool, samples: archive, conditions, accounts: streams.accounts, tracer, bus },
    settings.recordings,
    openLog("recordings"),
  );
  archive?.watchRecordings(recordings.archive.reads);
  const songs = new Songs(library, streams, layout);
  const songUploads = new SongUploads(library, songs, settings.songs);
  const soundPeaks = new SoundPeaks(pool.encoders);
  const peaks = new AudioPeaks({ sounds: soundPeaks, streams, songs, readers, layout });
  const soundSettings = { names: soundNames(settings.sounds), layout };
  const sounds = new Sounds(library, pool.encoders, soundSettings, openLog("sounds"));
  recordings.sounds.subscribe(({ kind, device, streamId, at: atMs }) => {
    events.add(kind, recordingSubject({ device, streamId }), { device, streamId, atMs });
  });
  const deviceBase = { store: catalogStore(pool), sounds, events };
  const devices = new Devices(deviceBase, settings.devices, openLog("devices"));
  const clusterDevices = new ClusterDevices(devices, recordings, bus);
  const deviceCommands = new DeviceCommands(devices, bus, clusterDevices);
  const folders = { streams: layout.root, recordings: settings.recordings.folder };
  const { keeper, writers } = pool;
  const retained = {
    keeper,
    writers,
    streams,
    recordings: recordings.archive,
    recorders: recordings,
    archive,
    folders,
  };
  const limits = { ...settings.retention, ...settings.streams };
  const retention = new Retention(retained, limits, openLog("retention"));
  const claims = new ConsumerClaims(keeper, openLog("events"));
  const consumed = { events, keeper, claims };
  const hooks = new Hooks({ ...consumed, tracer }, settings.hooks, openLog("hooks"));
  const commands = new Commands(consumed, settings.command, openLog("commands"));
  const nodeTasks = new NodeTasks({ keeper, streams, folder: folders.recordings }, openLog("nodes"));
  const changeNews = bus && new ChangeNews(bus, keeper, openLog("nodes"));
  const parts = {
    streams,
    streamAudio,
    recordings,
    songs,
    songUploads,
    peaks,
    sounds,
    devices,
    clusterDevices,
    deviceCommands,
  };
  const missing = () => noteMissingArchive(keeper, readiness, openLog("archive"));
  return {
    ...parts,
    events,
    claims,
    hooks,
    commands,
    retention,
    archive,
    nodeTasks,
    changeNews,
    noteMissingArchive: missing,
  };
}

/** Undefined without an archive. */
function buildArchive(
  { pool, layout, readiness }: EngineBase,
  streams: Streams,
  settings: EngineSettings,
): Archive | undefined {
  const { keeper, archiver, readers } = pool;
  if (archiver === undefined) return undefined;
  const recordingsDir = settings.recordings.folder;
  const parts = { keeper, archiver, readers, layout, recordingsDir, readiness, streams };
  return new Archive(parts, settings.archive, openLog("archive"));
}

/** Opens the store and repairs what an earlier run left, then opens the parts in the order in which they need each other. */
export async function openEngine(engine: Engine): Promise<void> {
  const {
    streams,
    events,
    hooks,
    commands,
    recordings,
    devices,
    clusterDevices,
    retention,
    archive,
    nodeTasks,
  } = engine;
  await streams.open();
  await (archive === undefined ? engine.noteMissingArchive() : archive.open());
  await events.open();
  await hooks.open();
  await commands.open();
  await recordings.open();
  await devices.open();
  clusterDevices.open(streams.node);
  await retention.open();
  nodeTasks.open();
}

/** Rejects if the engine cannot work with these settings. */
export async function checkEngine({ hooks }: Engine, settings: EngineSettings): Promise<void> {
  await hooks.check(settings.hooks);
}

/**
 * Changes what can change while the engine runs. Most parts read a setting when they need it, so `running`, the object
 * that the engine was built with, gets the values of `next`.
 */
export async function configureEngine(
  engine: Engine,
  running: EngineSettings,
  next: EngineSettings,
): Promise<void> {
  Object.assign(running.streams, next.streams);
  Object.assign(running.recordings, next.recordings);
  Object.assign(running.songs, next.songs);
  Object.assign(running.devices, next.devices);
  Object.assign(running.events, next.events);
  Object.assign(running.archive, next.archive);
  engine.retention.configure({ ...next.retention, ...next.streams });
  engine.sounds.useNames(soundNames(next.sounds));
  await engine.hooks.configure(next.hooks);
  if (!isSameCommand(running.command, next.command)) await engine.commands.configure(next.command);
  running.command = next.command;
}

function isSameCommand(one: CommandSettings | undefined, other: CommandSettings | undefined): boolean {
  return (
    JSON.stringify(one?.command) === JSON.stringify(other?.command) &&
    one?.filter.types === other?.filter.types
  );
}
