/** Answers GET and HEAD of audio: conditions, ranges, and the way in which the bytes are sent. */
import type { GatewayMeter } from "../../../base/gateway-meter.ts";
import { audioPieceBytes, audioStallSeconds } from "../../../base/limits/audio-http.ts";
import { httpIdleSeconds } from "../../../base/limits/connections.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { errorResponse } from "../../../listen/error-response.ts";
import type { HttpConnection } from "../../../listen/route.ts";
import { type AudioDescription, type AudioFile, audioHeaders, validatorHeaders } from "./audio.ts";
import { bodyOf, type Piece } from "./body.ts";
import { allowsRange, evaluateConditions } from "./conditions.ts";
import { type ByteRange, contentRange, selectRanges } from "./ranges.ts";
import { multipart } from "./multipart.ts";

export interface AudioRequest {
  request: Request;
  connection: HttpConnection;
  meter: GatewayMeter;
  download: boolean;
}

/** `open` is called for an answer with audio alone: HEAD and 304 open no file. */
export async function answerAudio(
  asked: AudioRequest,
  audio: AudioDescription,
  open: () => Promise<AudioFile>,
): Promise<Response> {
  const { request, meter } = asked;
  const outcome = evaluateConditions(request.headers, audio);
  if (outcome === "failed") throw new WavecacheError("PRECONDITION_FAILED");
  if (outcome === "not modified")
    return new Response(null, { status: 304, headers: validatorHeaders(audio) });
  const headers = audioHeaders(audio, asked.download);
  if (request.method === "HEAD") {
    return new Response(null, { headers: { ...headers, "content-length": String(audio.size) } });
  }
  const wanted = allowsRange(request.headers, audio) ? request.headers.get("range") : null;
  const selection = selectRanges(wanted, audio.size);
  if (selection === "unsatisfiable") return outside(audio, meter);
  if (audio.size === 0) return new Response(null, { headers: { ...headers, "content-length": "0" } });
  asked.connection.setIdleSeconds(audioStallSeconds);
  const file = await open();
  try {
    return await send(asked, audio, file, selection, headers);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function outside(audio: AudioDescription, meter: GatewayMeter): Response {
  const refusal = errorResponse(new WavecacheError("NO_DATA"), meter);
  refusal.headers.set("content-range", `bytes */${audio.size}`);
  return refusal;
}

/** Closes the file, unless it rejects. */
function send(
  asked: AudioRequest,
  audio: AudioDescription,
  file: AudioFile,
  ranges: "whole" | readonly ByteRange[],
  headers: Record<string, string>,
): Promise<Response> {
  if (ranges === "whole") {
    const all = { offset: 0, length: audio.size };
    return sendRange(asked, file, all, { status: 200, headers });
  }
  const total = audio.isGrowing ? undefined : audio.size;
  if (ranges.length === 1) {
    const range = ranges[0]!;
    const partial = { ...headers, "content-range": contentRange(range, total) };
    return sendRange(asked, file, range, { status: 206, headers: partial });
  }
  const { contentType, pieces } = multipart(ranges, audio.mediaType, total);
  return sendPieces(asked, file, pieces, {
    status: 206,
    headers: { ...headers, "content-type": contentType },
  });
}

interface Head {
  status: 200 | 206;
  headers: Record<string, string>;
}

async function sendRange(
  asked: AudioRequest,
  file: AudioFile,
  range: ByteRange,
  head: Head,
): Promise<Response> {
  if (range.length > audioPieceBytes) {
    const sent = await sendFromFile(asked, file, range, head);
    if (sent !== undefined) return sent;
  }
  return await sendPieces(asked, file, [range], head);
}

/** Bun sends the file with sendfile(2), without a copy in this process. Undefined if the range has to be read. */
async function sendFromFile(
  { request, connection, meter }: AudioRequest,
  file: AudioFile,
  { offset, length }: ByteRange,
  head: Head,
): Promise<Response | undefined> {
  const isIgnoring = head.status === 200 && request.headers.has("range");
  const opened = await file.openRange(offset, length);
  if (opened === undefined) return undefined;
  if (isIgnoring && !opened.isImmutable) {
    await opened.close();
    return undefined;
  }
  // Bun applies a Range header by itself to a body that is a whole file, but not to a slice that ends behind the file.
  const end = offset + length + (isIgnoring ? 1 : 0);
  meter.bytesOut += length;
  // Bun opens the path when it gets the answer, which is before the next turn of the event loop. It also sets the usual
  // idle timeout then.
  setImmediate(() => {
    connection.setIdleSeconds(audioStallSeconds);
    void opened.close().then(() => file.close());
  });
  return new Response(Bun.file(opened.path).slice(offset, end), head);
}

/** Short audio goes out at once and with its length; longer audio in pieces, as fast as the client takes them. */
async function sendPieces(
  { connection, meter }: AudioRequest,
  file: AudioFile,
  pieces: readonly Piece[],
  head: Head,
): Promise<Response> {
  const body = await bodyOf(file, pieces, meter);
  // The connection may be idle as usual after an answer that the kernel takes at once.
  if (body instanceof Uint8Array) connection.setIdleSeconds(httpIdleSeconds);
  return new Response(body, head);
}
