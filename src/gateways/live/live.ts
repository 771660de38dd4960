/**
 * `GET /live/{hwid or stream id}.wav`: a recording while it is made, as a WAV file without an end. It begins with the
 * last moments. A listener that does not keep up skips, so that what it hears is never old and nothing piles up.
 */
import { WavecacheError } from "../../base/errors.ts";
import { liveBufferMs, maxLiveBufferBytes } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import { encodeWavHeader } from "../../codec/wav.ts";
import type { LiveListener } from "../../engine/live-feed.ts";
import { errorResponse } from "../../web/error-response.ts";
import type { HttpRoute } from "../../web/route.ts";

/** A recording that goes on now. */
export interface LiveRecording {
  handshake: { sampleRate: number; channels: number };
  live: { add(listener: LiveListener): void; remove(listener: LiveListener): void };
}

/** What this door needs of the engine. */
export interface LiveRecordings {
  /** Throws RECORDING_UNKNOWN, LISTENERS_EXHAUSTED. */
  listen(name: string): LiveRecording;
}

const path = /^\/live\/([^/]+)\.wav$/;

const headers = {
  "content-type": "audio/wav",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

export function liveRoute(recordings: LiveRecordings, log: Log): HttpRoute {
  return {
    handle(request, url, connection) {
      const name = path.exec(url.pathname)?.[1];
      if (name === undefined) return undefined;
      if (request.method !== "GET")
        return new Response("method not allowed\n", { status: 405, headers: { allow: "GET" } });
      try {
        const recording = recordings.listen(decodeURIComponent(name));
        connection.keepOpen();
        return new Response(listenTo(recording, name, log), { headers });
      } catch (error) {
        return errorResponse(error instanceof URIError ? new WavecacheError("RECORDING_UNKNOWN") : error);
      }
    },
  };
}

function listenTo(recording: LiveRecording, name: string, log: Log): ReadableStream<Uint8Array> {
  const { sampleRate, channels } = recording.handshake;
  const bufferBytes = Math.min((sampleRate * channels * 2 * liveBufferMs) / 1000, maxLiveBufferBytes);
  let listener: WavListener;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        listener = new WavListener(controller, name, log);
        controller.enqueue(encodeWavHeader(sampleRate, channels, undefined));
        recording.live.add(listener);
      },
      cancel() {
        recording.live.remove(listener);
        listener.logSkips();
      },
    },
    { highWaterMark: bufferBytes, size: (chunk) => chunk?.byteLength ?? 0 },
  );
}

class WavListener implements LiveListener {
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  readonly #name: string;
  readonly #log: Log;
  #skippedBytes = 0;

  constructor(controller: ReadableStreamDefaultController<Uint8Array>, name: string, log: Log) {
    this.#controller = controller;
    this.#name = name;
    this.#log = log;
  }

  audio(pcm: Uint8Array): void {
    if ((this.#controller.desiredSize ?? 0) > 0) this.#controller.enqueue(pcm);
    else this.#skippedBytes += pcm.length;
  }

  ended(): void {
    this.#controller.close();
    this.logSkips();
  }

  logSkips(): void {
    if (this.#skippedBytes === 0) return;
    this.#log.info("a listener did not keep up", { name: this.#name, skippedBytes: this.#skippedBytes });
  }
}
