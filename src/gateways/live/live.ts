/**
 * `GET /live/{hwid or stream id}.wav`: a recording in progress, as a WAV file of unknown length. It starts with the most
 * recent audio. A slow listener skips audio, so that it stays live and its buffer stays bounded.
 */
import { recordingResource } from "../../access/actions.ts";
import type { Principal } from "../../access/principal.ts";
import { WavecacheError } from "../../base/errors.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Log } from "../../base/log/log.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../codec/wav/wav.ts";
import { errorResponse } from "../../listen/error-response.ts";
import type { HttpConnection, HttpRoute } from "../../listen/route.ts";
import { outsideHeaders, partHeaders, requestedPart, wholeWav } from "./range.ts";
import { listenTo, type ListenerHost, type LiveRecording } from "./wav-listener.ts";

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

/** Those of the GET: without its encoding, Bun would announce a length of 0. */
const headHeaders = { ...headers, "transfer-encoding": "chunked" };

export function liveRoute(recordings: LiveRecordings, meter: GatewayMeter, log: Log): HttpRoute {
  const host = { meter, log };
  return {
    handle(request, url, connection) {
      const name = path.exec(url.pathname)?.[1];
      if (name === undefined) return undefined;
      if (request.method !== "GET" && request.method !== "HEAD")
        return new Response("method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
      try {
        const recording = find(recordings, decodeURIComponent(name), connection.principal);
        if (request.method === "HEAD") return new Response(null, { headers: headHeaders });
        return answer(recording, request, connection, name, host);
      } catch (error) {
        const known = error instanceof URIError ? new WavecacheError("RECORDING_UNKNOWN") : error;
        return errorResponse(known, meter);
      }
    },
  };
}

/** Throws RECORDING_UNKNOWN, also for a recording that the caller may not hear. */
function find(recordings: LiveRecordings, name: string, principal: Principal): LiveRecording {
  principal.requireSome("listen", "recordings");
  const recording = recordings.listen(name);
  const resource = recordingResource(recording.hwid, recording.handshake.streamId);
  principal.require("listen", resource, "RECORDING_UNKNOWN");
  return recording;
}

function answer(
  recording: LiveRecording,
  request: Request,
  connection: HttpConnection,
  name: string,
  host: ListenerHost,
): Response {
  const part = requestedPart(request.headers);
  if (part === "unsatisfiable") return new Response(null, { status: 416, headers: outsideHeaders });
  const status = part === wholeWav ? 200 : 206;
  const partial = part === wholeWav ? headers : { ...headers, ...partHeaders(part) };
  const end = part.from + part.bytes;
  if (end <= wavHeaderBytes) {
    const { sampleRate, channels } = recording.handshake;
    const header = encodeWavHeader(sampleRate, channels, undefined);
    return new Response(header.subarray(part.from, end), { status, headers: partial });
  }
  connection.keepOpen();
  return new Response(listenTo(recording, part, { name, ended: connection.principal.ended, ...host }), {
    status,
    headers: partial,
  });
}
