/** The HTTP API, and the health of the server. */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Readiness } from "../../base/readiness.ts";
import type { HttpRoute } from "../../listen/route.ts";
import { linkOperations, type LinkSigner } from "./access/links.ts";
import { type BrowserSessions, sessionOperations } from "./access/session.ts";
import { type SessionAdmin, sessionAdminOperations } from "./access/sessions.ts";
import { type TokenAdmin, tokenOperations } from "./access/tokens.ts";
import { apiRoute } from "./api.ts";
import { type AudioSongs, songAudioOperation } from "./audio/library.ts";
import { type AudioStreams, type StreamAudios, streamAudioOperation } from "./audio/streams.ts";
import { type DeviceCommands, deviceOperations, type Devices } from "./devices/operations.ts";
import { eventOperations, type Events } from "./events/operations.ts";
import { type Hooks, hookOperations } from "./events/hooks.ts";
import { healthRoute, type StoreCheck } from "./health.ts";
import { libraryOperations, type Songs } from "./library.ts";
import { levelsOperation } from "./peaks/levels.ts";
import type { MeteredRecordings } from "./peaks/level-feed.ts";
import { type PeaksOfSounds, soundPeaksOperations } from "./peaks/sounds.ts";
import { soundingOperations, type SoundingRecordings } from "./peaks/recordings.ts";
import { recordingOperations, type Recordings } from "./recordings.ts";
import { pinOperations, type PinnedRecordings, type Pins } from "./retention/pins.ts";
import { retentionOperations, type RetentionReports } from "./retention/usage.ts";
import { streamOperations, type Streams } from "./streams.ts";
import { tusOperations } from "./tus/operations.ts";
import { type TusStreams, TusUploads } from "./tus/uploads.ts";
import { objectOperation, type Objects } from "./upload/objects.ts";
import { postOperation, type PostStreams } from "./upload/post.ts";
import { putOperation, type PutStreams } from "./upload/put.ts";
import { type ChangingSongs, type DigestedSongs, songFileOperations } from "./upload/songs.ts";
import { type ConfigReloads, reloadOperation } from "./reload.ts";
import { type PeriodRecordings, recordingAudioOperation } from "./by-time/audio.ts";
import { manifestOperation } from "./by-time/manifest.ts";
import { type RemovableRecordings, removeRecordingsOperation } from "./by-time/remove.ts";
import { recordedOperation, type RecordedSources } from "./by-time/recorded.ts";
import { timelineOperation, type Timelines } from "./by-time/timeline.ts";

/** What the API serves. */
export interface HttpApi {
  streams: Streams &
    AudioStreams &
    PutStreams &
    PostStreams &
    TusStreams & { readonly objects: Objects; readonly check: StoreCheck };
  streamAudio: StreamAudios;
  recordings: MeteredRecordings & {
    readonly archive: Recordings &
      PeriodRecordings &
      RemovableRecordings &
      PinnedRecordings &
      Timelines &
      RecordedSources &
      SoundingRecordings;
  };
  retention: RetentionReports & { readonly pins: Pins };
  songs: Songs & AudioSongs & DigestedSongs;
  songUploads: ChangingSongs;
  peaks: PeaksOfSounds;
  clusterDevices: Devices;
  deviceCommands: DeviceCommands;
  access: BrowserSessions & SessionAdmin & LinkSigner & TokenAdmin;
  events: Events;
  hooks: Hooks;
  readiness: Readiness;
  reloader: ConfigReloads;
}

export function httpRoutes(api: HttpApi, version: string, meter: GatewayMeter): HttpRoute[] {
  const { archive } = api.recordings;
  const operations = [
    ...streamOperations(api.streams),
    putOperation(api.streams),
    postOperation(api.streams, api.streams.objects),
    objectOperation(api.streams.objects),
    streamAudioOperation(api.streams, api.streamAudio),
    ...tusOperations(new TusUploads(api.streams)),
    recordingAudioOperation(archive),
    songAudioOperation(api.songs),
    ...recordingOperations(archive),
    recordedOperation(archive),
    timelineOperation(archive),
    ...soundingOperations(archive),
    levelsOperation(api.recordings),
    manifestOperation(archive),
    removeRecordingsOperation(archive),
    ...soundPeaksOperations(api.peaks),
    ...retentionOperations(api.retention),
    ...pinOperations(api.retention.pins, archive),
    ...libraryOperations(api.songs),
    ...songFileOperations(api.songUploads, api.songs),
    ...deviceOperations(api.clusterDevices, api.deviceCommands),
    ...linkOperations(api.access, api.streams, archive),
    ...sessionOperations(api.access),
    ...sessionAdminOperations(api.access),
    ...tokenOperations(api.access),
    ...eventOperations(api.events),
    ...hookOperations(api.hooks),
    reloadOperation(api.reloader),
  ];
  return [healthRoute(api.readiness, api.streams), apiRoute(operations, version, meter)];
}
