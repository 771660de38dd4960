/**
 * `/live/{hwid or stream id}` over a WebSocket (wire/live.ts): audio as it arrives, for players that must start at once.
 * A slow listener skips audio, and the next message says how much.
 */
import { errorRow, toWavecacheError } from "../../base/errors.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { liveSocketBufferMs, maxLiveBufferBytes } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import type { LiveListener } from "../../engine/recordings/live-feed.ts";
import type { Session, Socket, SocketRoute } from "../../listen/route.ts";
import { encodeLiveAudio } from "../../wire/live.ts";
import { findRecording, type LiveRecording, type LiveRecordings } from "./find-recording.ts";

/** Names have no dots: these are left to files, such as `/live/kitchen.wav`. */
const path = /^\/live\/([^/.]+)$/;
/** The recording has ended, which is no error. */
const endOfAudio = { code: 1000, reason: "recording ended" } as const;

export function liveSocketRoute(recordings: LiveRecordings, meter: GatewayMeter, log: Log): SocketRoute {
  return {
    meter,
    accepts: (candidate) => path.test(candidate),
    requireAccess: ({ principal }) => principal.requireSome("listen", "recordings"),
    open: (socket, { path: target, principal }) => {
      const name = path.exec(target)![1]!;
      try {
        return new LiveSession(socket, findRecording(recordings, name, principal), { name, meter, log });
      } catch (error) {
        const { code } = toWavecacheError(error);
        meter.failed(code);
        const { close, reason } = errorRow(code);
        socket.close(close, reason);
        return closedSession;
      }
    },
  };
}

interface LiveSessionHost {
  /** For the log. */
  name: string;
  meter: GatewayMeter;
  log: Log;
}

/** The close is on its way; what still arrives is ignored. */
const closedSession: Session = { text() {}, binary() {}, drained() {}, closed() {} };

export class LiveSession implements Session, LiveListener {
  readonly #socket: Socket;
  readonly #recording: LiveRecording;
  readonly #host: LiveSessionHost;
  readonly #frameBytes: number;
  readonly #maxBufferedBytes: number;
  /** Bytes of audio that are missing before the next message, and in all. */
  #skippedBytes = 0;
  #totalSkippedBytes = 0;

  constructor(socket: Socket, recording: LiveRecording, host: LiveSessionHost) {
    this.#socket = socket;
    this.#recording = recording;
    this.#host = host;
    const { sampleRate, channels } = recording.handshake;
    this.#frameBytes = 2 * channels;
    this.#maxBufferedBytes = Math.min(
      (sampleRate * this.#frameBytes * liveSocketBufferMs) / 1000,
      maxLiveBufferBytes,
    );
    recording.live.add(this);
  }

  push(pcm: Uint8Array, timeMs: number): void {
    if (this.#socket.bufferedBytes() > this.#maxBufferedBytes) return this.#drop(pcm.length);
    const { sampleRate, channels } = this.#recording.handshake;
    const skipped = this.#skippedBytes / this.#frameBytes;
    const message = encodeLiveAudio({ sampleRate, channels, skipped, timeMs, pcm });
    if (this.#socket.send(message) === "dropped") return this.#drop(pcm.length);
    this.#skippedBytes = 0;
  }

  skip(bytes: number): void {
    this.#skippedBytes += bytes;
  }

  end(): void {
    this.#socket.close(endOfAudio.code, endOfAudio.reason);
  }

  /** A listener has nothing to say. */
  text(): void {}

  binary(): void {}

  drained(): void {}

  closed(): void {
    this.#recording.live.remove(this);
    if (this.#totalSkippedBytes === 0) return;
    const { log, name } = this.#host;
    log.info("a listener did not keep up", { name, skippedBytes: this.#totalSkippedBytes });
  }

  #drop(bytes: number): void {
    this.#skippedBytes += bytes;
    this.#totalSkippedBytes += bytes;
    this.#host.meter.skippedBytes += bytes;
  }
}
