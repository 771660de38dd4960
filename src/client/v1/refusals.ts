/** Turns a server's ERROR message into an error of the client. */
import type { Fault } from "../../wire/v1/messages.ts";
import { ClientError } from "../errors.ts";

/** Codes of `base/errors.ts` that may be gone on another attempt, channel or connection. */
const transientCodes: ReadonlySet<string> = new Set([
  "WORKER_LOST",
  "UPLOAD_MOVING",
  "SHUTTING_DOWN",
  "CONNECTIONS_EXHAUSTED",
  "REQUESTS_EXHAUSTED",
  "STREAMS_EXHAUSTED",
  "LISTENERS_EXHAUSTED",
  "PEER_STALLED",
  "CHECKSUM_WRONG",
  "OFFSET_WRONG",
]);

/** BUSY for a transient code, else REFUSED; with the server's code, message and hint. */
export function refusalOf({ code, message, hint }: Fault): ClientError {
  const kind = transientCodes.has(code) ? "BUSY" : "REFUSED";
  const text = message === "" ? code : message;
  return new ClientError(kind, text, hint === "" ? undefined : hint, { serverCode: code });
}

/** Whether the server sent this error with this code. */
export function isRefusal(error: unknown, serverCode: string): error is ClientError {
  return error instanceof ClientError && error.serverCode === serverCode;
}
