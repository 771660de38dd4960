/**
 * Live ingest of one device: a WebSocket, a handshake, frames, and a close. A lost connection is replaced with a new
 * handshake. Sequence numbers continue, and frames that had not left the socket are sent again. Frames on the network at
 * that moment may be lost, because the protocol has no acknowledgement.
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
  /** The stream ends without the server's close if it does not come in this time. */
  gracefulCloseTimeoutMs: number;
  /** Buffered bytes at which sending pauses, and at which it resumes. */
  highWaterBytes: number;
  lowWaterBytes: number;
  /** The retries count from zero again when a connection is lost that was stable for this long. */
  stableConnectionMs: number;
}

export interface IngestOptions {
  platform: Platform;
  /** The server's WebSocket address, used exactly as given; `deviceUrl` adds a hardware id. */
  url: string;
  track: FrameTrack;
  /** The numeric stream id, u32. */
  streamId: number;
  /** Sends frames in real time; otherwise as fast as the server accepts them. */
  realtime?: boolean;
  clock?: Clock;
  retry?: Partial<RetryPolicy>;
  limits?: Partial<IngestLimits>;
  /** Ends the stream after the current frame, with a graceful close. A track that waits for input must be ended too. */
  stop?: AbortSignal;
  /** Aborts the stream; `run` then throws the signal's reason. */
  signal?: AbortSignal;
  onRetry?: (notice: RetryNotice) => void;
}

export interface IngestResult {
  /** Whether the whole track was sent; false after `stop`. */
  ended: boolean;
  /** Connections lost; failed attempts to connect do not count. */
  lostConnections: number;
  /** How the server closed; undefined if it did not in time. */
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

/** The maximum header of a client's WebSocket frame (RFC 6455, section 5.2). */
const maxSocketHeaderBytes = 14;

export class IngestStream {
  readonly streamId: number;
  readonly #options: IngestOptions;
  readonly #track: FrameTrack;
  readonly #limits: IngestLimits;
  readonly #clock: Clock;
  #schedule: FrameSchedule | undefined;
  #state: "connecting" | "sending" | "over" = "connecting";
  /** The number of the next frame to send, which is also its sequence number. */
  #next = 0;
  #maxLagMs = 0;
  #lostConnections = 0;
  /** Lost connections that had been stable. */
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

  /** Samples per channel in the frames sent so far. */
  get samples(): number {
    return samplesIn(this.#track, this.#next);
  }

  /** Bytes of the frames sent so far. */
  get bytes(): number {
    return bytesIn(this.#track, this.#next);
  }

  /** How late the next frame is; 0 if the stream is not sent in real time. */
  get lagMs(): number {
    if (this.#state === "over" || this.#schedule === undefined) return 0;
    return this.#schedule.lagMs(this.#next, this.#clock.now());
  }

  /** The maximum lag of the frames sent so far. */
  get maxLagMs(): number {
    return this.#maxLagMs;
  }

  /**
   * Sends the track to its end. Throws ClientError (REFUSED if the server closes with a final code, errors of the
   * connection after the policy's retries), or the reason of the signal. To be called once.
   */
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
      const ended = await this.#sendFrames(connection);
      const close = await connection.closeGracefully(this.#limits.gracefulCloseTimeoutMs);
      return { ended, lostConnections: this.#lostConnections, close };
    } catch (error) {
      this.#lostConnections++;
      this.#rewind(connection.bufferedBytes, first);
      if (this.#clock.now() - connectedMs >= this.#limits.stableConnectionMs) this.#stableLosses++;
      throw error;
    } finally {
      connection.close();
    }
  }

  /** Sends the handshake and the frames. True at the end of the track, false after `stop`. */
  async #sendFrames(connection: Connection): Promise<boolean> {
    const { format } = this.#track;
    connection.send(handshakeOf(format, this.streamId, Date.now()));
    this.#state = "sending";
    const startMs = this.#clock.now();
    if (this.#options.realtime === true) {
      this.#schedule ??= new FrameSchedule(startMs, format.frameSamples, format.sampleRate);
    }
    let sliceEnd = performance.now() + ingestSliceMs;
    while (this.#options.stop?.aborted !== true) {
      if (this.#schedule !== undefined) await this.#waitUntilDue(this.#schedule);
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
      // The protocol has no messages of the server. Drain them, or they would accumulate.
      connection.drain();
      sliceEnd = performance.now() + ingestSliceMs;
    }
    return false;
  }

  async #waitUntilDue(schedule: FrameSchedule): Promise<void> {
    const waitMs = schedule.dueMs(this.#next) - this.#clock.now();
    if (waitMs > 0) await this.#clock.wait(waitMs);
    this.#maxLagMs = Math.max(this.#maxLagMs, this.lagMs);
  }

  /** Rewinds to the first frame that had not left the lost socket, judged by its buffered bytes. */
  #rewind(bufferedBytes: number, first: number): void {
    const { format } = this.#track;
    const frameBytes = messageBytes(format, format.frameSamples) + maxSocketHeaderBytes;
    this.#next -= Math.min(this.#next - first, Math.floor(bufferedBytes / frameBytes));
  }
}
