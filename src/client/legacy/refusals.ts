/** Turns a server's ERROR message into an error of the client. */
import { type ErrorCode, errorRow } from "../../base/errors.ts";
import { decodeReply } from "../../wire/audio-cache.ts";
import { ClientError } from "../errors.ts";
import type { SocketFrame } from "../transport/connection.ts";

/** The older protocol sends no codes: these are recognised by their text. */
const transientCodes: readonly ErrorCode[] = [
  "WORKER_LOST",
  "SHUTTING_DOWN",
  "CONNECTIONS_EXHAUSTED",
  "REQUESTS_EXHAUSTED",
  "PEER_STALLED",
];

/** Codes that an upload reacts to. */
const uploadCodes: readonly ErrorCode[] = ["STREAM_EXISTS", "STREAM_FINISHED", "DIGEST_WRONG"];

/** BUSY if a later attempt may succeed, else REFUSED. */
export function refusalOf(message: string): ClientError {
  const isIn = (code: ErrorCode) => message.includes(errorRow(code).reason);
  if (transientCodes.some(isIn)) return new ClientError("BUSY", message);
  const serverCode = uploadCodes.find(isIn);
  return new ClientError("REFUSED", message, undefined, serverCode === undefined ? {} : { serverCode });
}

/** The first ERROR among frames that nobody waits for: a server may refuse at any time. */
export function refusalAmong(frames: readonly SocketFrame[]): ClientError | undefined {
  for (const frame of frames) {
    const reply = typeof frame === "string" ? decodeReply(frame) : undefined;
    if (reply?.type === "ERROR") return refusalOf(reply.message);
  }
  return undefined;
}
