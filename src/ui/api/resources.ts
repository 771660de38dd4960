/** What the HTTP API answers, as docs/http.md describes it. */

export interface AudioProperties {
  container: string | null;
  codec: string | null;
  /** Seconds. */
  duration: number | null;
  sampleRate: number | null;
  channels: number | null;
  /** Bits a second. */
  bitRate: number | null;
}

export interface Stream {
  streamId: string;
  state: "finished" | "unfinished";
  title: string | null;
  name: string | null;
  size: number;
  sha256: string | null;
  format: string | null;
  audio: AudioProperties | null;
  damaged: boolean;
  /** Missing on servers without pins. */
  pinned?: boolean;
  metadata: { contentType: string | null; tags: Readonly<Record<string, string>> };
  createdAt: string;
  finishedAt: string | null;
}

export interface StreamPage {
  streams: Stream[];
  next: string | null;
  total: number | null;
}

export interface Song {
  name: string;
  size: number;
  type: string;
  duration: number | null;
}

export interface Device {
  deviceId: string;
  /** The node that it is or was connected to; null on a single machine. */
  node: string | null;
  connected: boolean;
  connectedSince: string | null;
  firstSeen: string;
  lastSeen: string;
  mode: number;
  playing: number | null;
  recording: boolean;
  leds: string[];
  battery: number | null;
  /** Which of the four buttons are held over the API. */
  held: boolean[];
  report: { leds: string[]; pressed: boolean[]; at: string } | null;
}

export interface Session {
  principal: string;
  kind: "anonymous" | "token" | "jwt" | "link" | "certificate";
  grants: string[];
  expiresAt: string | null;
}

/** Of one device, over the last 100 ms. */
export interface Level {
  device: string | null;
  streamId: number;
  /** dBFS, -120 for digital silence. */
  peak: number;
  rms: number;
  /** Samples at the limits of 16 bits. */
  clipped: number;
}

/** A link that shares audio until it expires. */
export interface SharedLink {
  /** Relative to the server. */
  url: string;
  expiresAt: string;
}

/** A CloudEvent of the server. */
export interface ServerEvent {
  id: string;
  type: string;
  subject: string;
  time: string;
  data: Readonly<Record<string, unknown>>;
}

/** Peaks in the layout of audiowaveform, version 2. */
export interface Peaks {
  sample_rate: number;
  samples_per_pixel: number;
  channels: number;
  length: number;
  data: number[];
}
