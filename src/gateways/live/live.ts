/**
 * `GET /live/{hwid or stream id}.wav`: a recording in progress, as a WAV file of unknown length. It starts with the most
 * recent audio. A slow listener skips audio, so that it stays live and its buffer stays bounded.
 */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { liveBufferMs, maxLiveBufferBytes } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log.ts";
import { encodeWavHeader } from "../../codec/wav.ts";
import type { LiveListener } from "../../engine/recordings/live-feed.ts";
import { errorResponse } from "../../listen/error-response.ts";
import type { HttpRoute } from "../../listen/route.ts";

/** A recording in progress. */
export interface LiveRecording {
  handshake: { sampleRate: number; channels: number };
  live: { add(listener: LiveListener): void; remove(listener: LiveListener): void };
}

/** What this gateway needs of the engine. */
export interface LiveRecordings {
  /** Throws RECORDING_UNKNOWN, LISTENERS_EXHAUSTED. */
  listen(name: string): LiveRecording;
}

const path = /^\/live\/([^/]+)\.wav$/;

const headers = {
  "content-type": "audio/wav",
  "cache-control": "no-store",
};

export function liveRoute(recordings: LiveRecordings, meter: GatewayMeter, log: Log): HttpRoute {
  return {
    handle(request, url, connection) {
      const name = path.exec(url.pathname)?.[1];
      if (name === undefined) return undefined;
      if (request.method !== "GET")
        return new Response("method not allowed\n", { status: 405, headers: { allow: "GET" } });
      try {
        const recording = recordings.listen(decodeURIComponent(name));
        connection.keepOpen();
        return new Response(listenTo(recording, name, meter, log), { headers });
      } catch (error) {
        const known = error instanceof URIError ? new WavecacheError("RECORDING_UNKNOWN") : error;
        return errorResponse(known, meter);
      }
    },
  };
}

function listenTo(
  recording: LiveRecording,
  name: string,
  meter: GatewayMeter,
  log: Log,
): ReadableStream<Uint8Array> {
  const { sampleRate, channels } = recording.handshake;
  const bufferBytes = Math.min((sampleRate * channels * 2 * liveBufferMs) / 1000, maxLiveBufferBytes);
  let listener: WavListener;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        listener = new WavListener(controller, name, meter, log);
        listener.send(encodeWavHeader(sampleRate, channels, undefined));
        recording.live.add(listener);
      },
      cancel() {
        recording.live.remove(listener);
        listener.leave();
      },
    },
    { highWaterMark: bufferBytes, size: (chunk) => chunk?.byteLength ?? 0 },
  );
}

class WavListener implements LiveListener {
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  readonly #name: string;
  readonly #meter: GatewayMeter;
  readonly #log: Log;
  #skippedBytes = 0;

  constructor(
    controller: ReadableStreamDefaultController<Uint8Array>,
    name: string,
    meter: GatewayMeter,
    log: Log,
  ) {
    this.#controller = controller;
    this.#name = name;
    this.#meter = meter;
    this.#log = log;
    meter.opened();
  }

  push(pcm: Uint8Array): void {
    if ((this.#controller.desiredSize ?? 0) > 0) return this.send(pcm);
    this.#skippedBytes += pcm.length;
    this.#meter.skippedBytes += pcm.length;
  }

  send(bytes: Uint8Array): void {
    this.#meter.bytesOut += bytes.length;
    this.#controller.enqueue(bytes);
  }

  end(): void {
    this.#controller.close();
    this.leave();
  }

  leave(): void {
    this.#meter.closed();
    if (this.#skippedBytes === 0) return;
    this.#log.info("a listener did not keep up", { name: this.#name, skippedBytes: this.#skippedBytes });
  }
}
