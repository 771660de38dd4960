/**
 * `/live/{hwid or stream id}` over a WebSocket (wire/live.ts): audio as it arrives, for players that must start at once.
 * A slow listener skips audio, and the next message says how much.
 */
import { errorRow, toWavecacheError, type WavecacheError } from "../../base/errors.ts";
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
      const found = findRecording(recordings, name, principal);
      return new LiveSession(socket, found, { name, meter, log });
    },
  };
}

interface LiveSessionHost {
  /** For the log. */
  name: string;
  meter: GatewayMeter;
  log: Log;
}

export class LiveSession implements Session, LiveListener {
  readonly #socket: Socket;
  readonly #host: LiveSessionHost;
  /** Undefined until it is found. */
  #recording: LiveRecording | undefined;
  #maxBufferedBytes = 0;
  #isClosed = false;
  /** Bytes of audio that are missing before the next message, and in all. */
  #skippedBytes = 0;
  #totalSkippedBytes = 0;

  constructor(socket: Socket, found: Promise<LiveRecording>, host: LiveSessionHost) {
    this.#socket = socket;
    this.#host = host;
    found.then(
      (recording) => this.#listen(recording),
      (error: unknown) => this.end(toWavecacheError(error)),
    );
  }

  push(pcm: Uint8Array, timeMs: number): void {
    if (this.#socket.bufferedBytes() > this.#maxBufferedBytes) return this.#drop(pcm.length);
    const { sampleRate, channels } = this.#recording!.handshake;
    const skipped = this.#skippedBytes / (2 * channels);
    const message = encodeLiveAudio({ sampleRate, channels, skipped, timeMs, pcm });
    if (this.#socket.send(message) === "dropped") return this.#drop(pcm.length);
    this.#skippedBytes = 0;
  }

  skip(bytes: number): void {
    this.#skippedBytes += bytes;
  }

  end(error?: WavecacheError): void {
    if (error === undefined) return this.#socket.close(endOfAudio.code, endOfAudio.reason);
    closeWith(this.#socket, error, this.#host.meter);
  }

  /** A listener has nothing to say. */
  text(): void {}

  binary(): void {}

  drained(): void {}

  closed(): void {
    this.#isClosed = true;
    this.#recording?.live.remove(this);
    if (this.#totalSkippedBytes === 0) return;
    const { log, name } = this.#host;
    log.info("a listener did not keep up", { name, skippedBytes: this.#totalSkippedBytes });
  }

  #listen(recording: LiveRecording): void {
    if (this.#isClosed) return;
    const { sampleRate, channels } = recording.handshake;
    this.#recording = recording;
    this.#maxBufferedBytes = Math.min(
      (sampleRate * 2 * channels * liveSocketBufferMs) / 1000,
      maxLiveBufferBytes,
    );
    recording.live.add(this);
  }

  #drop(bytes: number): void {
    this.#skippedBytes += bytes;
    this.#totalSkippedBytes += bytes;
    this.#host.meter.skippedBytes += bytes;
  }
}

function closeWith(socket: Socket, { code }: WavecacheError, meter: GatewayMeter): void {
  meter.failed(code);
  const { close, reason } = errorRow(code);
  socket.close(close, reason);
}
