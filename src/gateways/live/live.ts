/**
 * `GET /live/{hwid or stream id}.wav`: a recording in progress, as a WAV file of unknown length. It starts with the most
 * recent audio. A slow listener skips audio, so that it stays live and its buffer stays bounded.
 */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Log } from "../../base/log/log.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../codec/wav/wav.ts";
import { errorResponse } from "../../listen/error-response.ts";
import type { HttpConnection, HttpRoute } from "../../listen/route.ts";
import { outsideHeaders, partHeaders, requestedPart, wholeWav } from "./range.ts";
import { findRecording, type LiveRecording, type LiveRecordings } from "./find-recording.ts";
import { listenTo, type ListenerHost } from "./wav-listener.ts";

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
        const recording = findRecording(recordings, name, connection.principal);
        if (request.method === "HEAD") return new Response(null, { headers: headHeaders });
        return answer(recording, request, connection, name, host);
      } catch (error) {
        return errorResponse(error, meter);
      }
    },
  };
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
