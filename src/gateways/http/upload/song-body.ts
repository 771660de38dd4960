/** The body of a request as a song: its pieces are written one after the other, so TCP slows the sender down. */
import { WavecacheError } from "../../../base/errors.ts";
import { httpIdleSeconds } from "../../../base/limits/connections.ts";
import { bodyIdleMs } from "../../../base/limits/upload-http.ts";
import type { ApiRequest } from "../operation.ts";
import { type AudioPieces, bodyPieces } from "./body-upload.ts";

/** What takes the pieces. */
export interface PieceSink {
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * Passes the body on to its end. Rejects with BODY_STALLED, with STREAM_UNFINISHED if the sender is gone, with the refusal
 * of a principal whose access ends meanwhile, and with what the sink rejects with.
 */
export async function receiveBody(
  asked: Pick<ApiRequest, "request" | "connection" | "meter" | "principal">,
  sink: PieceSink,
  idleMs = bodyIdleMs,
): Promise<void> {
  const { request, connection, principal } = asked;
  const pieces = bodyPieces(request.body);
  const ending = Promise.withResolvers<never>();
  // Nothing waits for it once the body is there.
  ending.promise.catch(() => undefined);
  const stop = principal.whenOver(() => ending.reject(new WavecacheError(principal.refusal)));
  connection.keepOpen();
  try {
    await pump(pieces, { ...asked, sink, idleMs, ended: ending.promise });
  } catch (error) {
    pieces.cancel();
    throw error;
  } finally {
    stop();
    connection.setIdleSeconds(httpIdleSeconds);
  }
}

interface Pump extends Pick<ApiRequest, "meter" | "principal"> {
  sink: PieceSink;
  idleMs: number;
  ended: Promise<never>;
}

async function pump(pieces: AudioPieces, { meter, principal, sink, idleMs, ended }: Pump): Promise<void> {
  for (;;) {
    const piece = await Promise.race([nextWithin(idleMs, pieces), ended]);
    if (piece === undefined) return;
    meter.bytesIn += piece.length;
    await sink.write(piece);
    const waitMs = principal.usage.in.take(piece.length);
    if (waitMs > 0) await Promise.race([Bun.sleep(waitMs), ended]);
  }
}

async function nextWithin(idleMs: number, pieces: AudioPieces): Promise<Uint8Array | undefined> {
  const stalled = Promise.withResolvers<never>();
  const idle = setTimeout(() => stalled.reject(new WavecacheError("BODY_STALLED")), idleMs);
  try {
    return await Promise.race([pieces.next(), stalled.promise]);
  } finally {
    clearTimeout(idle);
  }
}
