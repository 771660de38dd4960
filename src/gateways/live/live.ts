/**
 * `GET /live/{hwid or stream id}.wav` and `.opus`: a recording in progress, as a WAV file of unknown length, or as Opus in
 * Ogg, mixed to mono. It starts with the most recent audio. A slow listener skips audio, so that it stays live and its
 * buffer stays bounded.
 */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Log } from "../../base/log/log.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../codec/wav/wav.ts";
import { errorResponse } from "../../listen/error-response.ts";
import type { HttpConnection, HttpRoute } from "../../listen/route.ts";
import { findRecording, type LiveRecording, type LiveRecordings } from "./find-recording.ts";
import type { ListenerSettings } from "./listener-settings.ts";
import { opusBody } from "./opus-listener.ts";
import { outsideHeaders, partHeaders, requestedPart, wholeWav } from "./range.ts";
import { wavBody } from "./wav-listener.ts";

const path = /^\/live\/([^/]+)\.(wav|opus)$/;

const wavHeaders = { "content-type": "audio/wav", "cache-control": "no-store" };
const opusHeaders = { "content-type": "audio/ogg; codecs=opus", "cache-control": "no-store" };

export function liveRoute(recordings: LiveRecordings, meter: GatewayMeter, log: Log): HttpRoute {
  return {
    handle(request, url, connection) {
      const [, name, format] = path.exec(url.pathname) ?? [];
      if (name === undefined) return undefined;
      if (request.method !== "GET" && request.method !== "HEAD")
        return new Response("method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
      const settings = { name, ended: connection.principal.ended, meter, log };
      return answer(recordings, format === "opus" ? "opus" : "wav", request, connection, settings);
    },
  };
}

async function answer(
  recordings: LiveRecordings,
  format: "wav" | "opus",
  request: Request,
  connection: HttpConnection,
  settings: ListenerSettings,
): Promise<Response> {
  try {
    const recording = await findRecording(recordings, settings.name, connection.principal);
    if (request.method === "HEAD") return head(format === "opus" ? opusHeaders : wavHeaders);
    if (format === "wav") return wavAnswer(recording, request, connection, settings);
    connection.keepOpen();
    return new Response(opusBody(recording, settings), { headers: opusHeaders });
  } catch (error) {
    return errorResponse(error, settings.meter);
  }
}

/** Without the encoding of the GET, Bun would announce a length of 0. */
function head(headers: Record<string, string>): Response {
  return new Response(null, { headers: { ...headers, "transfer-encoding": "chunked" } });
}

function wavAnswer(
  recording: LiveRecording,
  request: Request,
  connection: HttpConnection,
  settings: ListenerSettings,
): Response {
  const part = requestedPart(request.headers);
  if (part === "unsatisfiable") return new Response(null, { status: 416, headers: outsideHeaders });
  const status = part === wholeWav ? 200 : 206;
  const headers = part === wholeWav ? wavHeaders : { ...wavHeaders, ...partHeaders(part) };
  const end = part.from + part.bytes;
  if (end <= wavHeaderBytes) {
    const { sampleRate, channels } = recording.handshake;
    const header = encodeWavHeader(sampleRate, channels, undefined);
    return new Response(header.subarray(part.from, end), { status, headers });
  }
  connection.keepOpen();
  return new Response(wavBody(recording, part, settings), { status, headers });
}
