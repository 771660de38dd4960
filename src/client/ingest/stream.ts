/**
 * One device: a WebSocket, a handshake, frames, a goodbye. A connection that is lost is made again, with a new handshake;
 * the sequence numbers go on, and frames that had not left the program are sent again. What was in the network at the
 * time may be missing at the server: nothing there is acknowledged.
 */
import { encodeFrameHeader, frameHeaderBytes } from "../../wire/ingest.ts";
import {
  type SocketClose,
  connect,
  type Connection,
  type ConnectionLimits,
} from "../transport/connection.ts";
import { codecNumber, handshakeOf, messageBytes } from "./format.ts";
import {
  connectTimeoutMs,
  gracefulCloseTimeoutMs,
  ingestHighWaterBytes,
  ingestLowWaterBytes,
  ingestSliceMs,
  stallTimeoutMs,
  stableConnectionMs,
} from "../limits.ts";
import { type Clock, FrameSchedule, systemClock } from "./pacing.ts";
import type { Platform } from "../transport/platform.ts";
import {
  defaultRetryPolicy,
  pause,
  withRetries,
  type RetryNotice,
  type RetryPolicy,
} from "../transport/retry.ts";
import { bytesIn, type FrameTrack, samplesIn } from "./track.ts";

export interface IngestLimits extends ConnectionLimits {
  /** How long the server may take to answer the goodbye. */
  gracefulCloseTimeoutMs: number;
  /** Bytes waiting in the socket at which sending pauses, and at which it goes on. */
  highWaterBytes: number;
  lowWaterBytes: number;
  /** A connection that has held this long starts the retries anew when it is lost. */
  stableConnectionMs: number;
}

export interface IngestOptions {
  platform: Platform;
  /** The server's address, used exactly as given; `deviceUrl` makes the one of a device. */
  url: string;
  track: FrameTrack;
  /** u32. */
  streamId: number;
  /** Whether frames leave when a device would send them; otherwise as fast as the server takes them. */
  realtime?: boolean;
  clock?: Clock;
  retry?: Partial<RetryPolicy>;
  limits?: Partial<IngestLimits>;
  /** Ends the stream well: no further frame, then the goodbye. A track that waits for input must be ended beside it. */
  stop?: AbortSignal;
  /** Ends the stream at once; `run` then throws the signal's reason. */
  signal?: AbortSignal;
  onRetry?: (notice: RetryNotice) => void;
}

export interface IngestResult {
  /** Whether the audio went out to its end; false after `stop`. */
  ended: boolean;
  /** Connections that were lost on the way; those that could not be made do not count. */
  lostConnections: number;
  /** How the server closed; undefined where it did not answer the goodbye. */
  close: SocketClose | undefined;
}

const defaultLimits: IngestLimits = {
  connectTimeoutMs,
  stallTimeoutMs,
  gracefulCloseTimeoutMs,
  highWaterBytes: ingestHighWaterBytes,
  lowWaterBytes: ingestLowWaterBytes,
  stableConnectionMs,
};

/** What a WebSocket puts before a message at most. */
const socketHeaderBytes = 14;

export class IngestStream {
  readonly streamId: number;
  readonly #options: IngestOptions;
  readonly #track: FrameTrack;
  readonly #limits: IngestLimits;
  readonly #clock: Clock;
  #schedule: FrameSchedule | undefined;
  #state: "connecting" | "sending" | "over" = "connecting";
  /** The next frame to send, which is its sequence number too. */
  #next = 0;
  #worstLagMs = 0;
  #lostConnections = 0;
  /** Of those lost, the ones that had held for long. */
  #stableLosses = 0;

  constructor(options: IngestOptions) {
    this.#options = options;
    this.streamId = options.streamId;
    this.#track = options.track;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#clock = options.clock ?? systemClock;
  }

  get state(): "connecting" | "sending" | "over" {
    return this.#state;
  }

  /** Frames sent so far. */
  get frames(): number {
    return this.#next;
  }

  /** Samples a channel in the frames sent so far. */
  get samples(): number {
    return samplesIn(this.#track, this.#next);
  }

  /** Bytes of the frames sent so far. */
  get bytes(): number {
    return bytesIn(this.#track, this.#next);
  }

  /** How late the next frame is; 0 where nothing paces the stream. */
  get lagMs(): number {
    if (this.#state === "over" || this.#schedule === undefined) return 0;
    return this.#schedule.lagMs(this.#next, this.#clock.now());
  }

  /** How late the latest of the frames sent so far was. */
  get worstLagMs(): number {
    return this.#worstLagMs;
  }

  /** Sends the track; throws ClientError, or the reason of the signal. */
  async run(): Promise<IngestResult> {
    const { stop, signal, retry, onRetry } = this.#options;
    const signals = [stop, signal].filter((each) => each !== undefined);
    const hooks = {
      signal: signals.length > 0 ? AbortSignal.any(signals) : undefined,
      progress: () => this.#stableLosses,
      onRetry: (notice: RetryNotice) => onRetry?.(notice),
    };
    try {
      return await withRetries({ ...defaultRetryPolicy, ...retry }, hooks, () => this.#attempt());
    } finally {
      this.#state = "over";
    }
  }

  async #attempt(): Promise<IngestResult> {
    const { platform, url, signal } = this.#options;
    this.#state = "connecting";
    const connection = await connect(platform, url, signal, this.#limits);
    const connectedMs = this.#clock.now();
    const first = this.#next;
    try {
      const ended = await this.#send(connection);
      const close = await connection.closeGracefully(this.#limits.gracefulCloseTimeoutMs);
      return { ended, lostConnections: this.#lostConnections, close };
    } catch (error) {
      this.#lostConnections++;
      this.#takeBack(connection.bufferedBytes, first);
      if (this.#clock.now() - connectedMs >= this.#limits.stableConnectionMs) this.#stableLosses++;
      throw error;
    } finally {
      connection.close();
    }
  }

  /** Sends the handshake and frames; true at the end of the audio, false after `stop`. */
  async #send(connection: Connection): Promise<boolean> {
    const { format } = this.#track;
    connection.send(handshakeOf(format, this.streamId, Date.now()));
    this.#state = "sending";
    const startMs = this.#clock.now();
    if (this.#options.realtime === true) {
      this.#schedule ??= new FrameSchedule(startMs, format.frameSamples, format.sampleRate);
    }
    let sliceEnd = performance.now() + ingestSliceMs;
    while (this.#options.stop?.aborted !== true) {
      if (this.#schedule !== undefined) await this.#due(this.#schedule);
      const found = this.#track.frame(this.#next);
      const message = found instanceof Promise ? await found : found;
      if (message === undefined) return true;
      const payloadBytes = message.length - frameHeaderBytes;
      encodeFrameHeader(message, 0, codecNumber(format.codec), this.#next, payloadBytes);
      connection.send(message);
      this.#next++;
      if (connection.bufferedBytes > this.#limits.highWaterBytes) {
        await connection.drained(this.#limits.lowWaterBytes);
      } else if (performance.now() > sliceEnd) await pause(0, this.#options.signal);
      else continue;
      // Servers have nothing to say here: whatever one says is not kept.
      connection.drain();
      sliceEnd = performance.now() + ingestSliceMs;
    }
    return false;
  }

  async #due(schedule: FrameSchedule): Promise<void> {
    const waitMs = schedule.dueMs(this.#next) - this.#clock.now();
    if (waitMs > 0) await this.#clock.wait(waitMs);
    this.#worstLagMs = Math.max(this.#worstLagMs, this.lagMs);
  }

  /** Frames that still wait in a lost socket have not left: they are the next to send again. */
  #takeBack(waitingBytes: number, first: number): void {
    const { format } = this.#track;
    const frameBytes = messageBytes(format, format.frameSamples) + socketHeaderBytes;
    this.#next -= Math.min(this.#next - first, Math.floor(waitingBytes / frameBytes));
  }
}
