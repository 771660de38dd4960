/** The parts of the engine, opened in the order in which they need each other. */
import { openLog } from "../base/log.ts";
import type { Pool } from "../pool/pool.ts";
import type { CacheLayout } from "../store/layout.ts";
import type { Library } from "../store/library/library.ts";
import { catalogStore, Devices, type DeviceSettings } from "./devices/devices.ts";
import { Recordings, type RecordingSettings } from "./recordings/recordings.ts";
import { Songs } from "./songs/songs.ts";
import { soundNames, Sounds } from "./sounds/sounds.ts";
import { Streams, type StreamsSettings } from "./streams/streams.ts";

export interface Engine {
  streams: Streams;
  recordings: Recordings;
  songs: Songs;
  sounds: Sounds;
  devices: Devices;
}

export interface EngineSettings {
  streams: StreamsSettings;
  recordings: RecordingSettings;
  devices: DeviceSettings;
  /** File names by mode that replace the usual ones. */
  sounds: ReadonlyMap<number, string>;
}

/** What the engine is built on. */
export interface EngineBase {
  pool: Pool;
  layout: CacheLayout;
  library: Library;
}

/** Streams and recordings end with the listeners that feed them; `opened` disposes of the other parts. */
export async function openEngine(
  { pool, layout, library }: EngineBase,
  settings: EngineSettings,
  opened: AsyncDisposableStack,
): Promise<Engine> {
  const streams = new Streams(pool, layout, settings.streams, openLog("engine"));
  await streams.open();
  const recordings = new Recordings(pool, settings.recordings, openLog("recordings"));
  await recordings.open();
  const songs = new Songs(library, streams, layout);
  const soundSettings = { names: soundNames(settings.sounds), layout };
  const sounds = new Sounds(library, pool.encoders, soundSettings, openLog("sounds"));
  opened.defer(() => sounds.close());
  const devices = new Devices(catalogStore(pool), sounds, settings.devices, openLog("devices"));
  await devices.open();
  opened.defer(() => devices.close());
  return { streams, recordings, songs, sounds, devices };
}
