/** What this door shows, and where it gets it from. All of it is counted anyway; asking for it costs nothing. */
import type { GatewayMeter } from "../../base/gateway-meter.ts";

/** A kind of job: how often it was done, and how long that took altogether. */
interface JobFigures {
  job: string;
  count: number;
  seconds: number;
}

/** `in`: tasks for the thread. `out`: its results. The ring is the same object as long as it is the same ring. */
export interface LaneRing {
  direction: "in" | "out";
  ring: { readonly usedBytes: number; readonly capacityBytes: number };
}

/** A thread behind a lane. */
interface ThreadFigures {
  thread: string;
  restarts: number;
  rings: readonly LaneRing[];
  stats: { jobs(): JobFigures[]; recordedFrames: number; lostFrames: number };
}

interface CacheFigures {
  uploading: number;
  finishing: number;
  interrupted: number;
  finished: number;
  objects: number;
  objectBytes: number;
  unfinishedBytes: number;
  limitBytes: number;
}

interface RecordingsFigures {
  running: number;
  listeners: number;
  skippedLiveBytes: number;
}

/** A thread that is called by messages. */
interface CalledThread {
  thread: string;
  calls: { jobs(): JobFigures[]; restarts: number; waiting: number };
}

interface DevicesFigures {
  connected: number;
  /** Sounds that play, or wait to. */
  playing: number;
}

export interface Sources {
  version: string;
  meters: { all: readonly GatewayMeter[] };
  cache: { figures(): CacheFigures; outbound: { usedBytes: number } };
  recordings: { figures(): RecordingsFigures };
  devices: DevicesFigures;
  writers: { figures(): ThreadFigures[]; slots: number };
  readers: { figures(): ThreadFigures[] };
  called: CalledThread[];
  /** Of devices: those in memory and their bytes, and those that were made since the start. */
  sounds: { count: number; bytes: number; encoded: number; loaded: number };
}
