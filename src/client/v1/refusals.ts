/** The errors of a server as errors of the client. */
import type { Fault } from "../../wire/v1/messages.ts";
import { ClientError } from "../errors.ts";

/** Codes of `base/errors.ts` that another attempt may not meet again, on another channel or connection. */
const passing: ReadonlySet<string> = new Set([
  "WORKER_LOST",
  "SHUTTING_DOWN",
  "CONNECTIONS_EXHAUSTED",
  "REQUESTS_EXHAUSTED",
  "STREAMS_EXHAUSTED",
  "LISTENERS_EXHAUSTED",
  "PEER_STALLED",
  "CHECKSUM_WRONG",
  "OFFSET_WRONG",
]);

/** BUSY where trying again makes sense, else REFUSED, with the server's code, message and hint. */
export function refusalOf({ code, message, hint }: Fault): ClientError {
  const kind = passing.has(code) ? "BUSY" : "REFUSED";
  const text = message === "" ? code : message;
  return new ClientError(kind, text, hint === "" ? undefined : hint, { serverCode: code });
}

/** Whether an error is the server's, with this code. */
export function isRefusal(error: unknown, serverCode: string): error is ClientError {
  return error instanceof ClientError && error.serverCode === serverCode;
}
