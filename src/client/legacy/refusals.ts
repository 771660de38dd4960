/** Turns a server's ERROR message into an error of the client. */
import { type ErrorCode, errorRow } from "../../base/errors.ts";
import { ClientError } from "../errors.ts";

/** The older protocol sends no codes: these are recognised by their text. */
const transientCodes: readonly ErrorCode[] = [
  "WORKER_LOST",
  "SHUTTING_DOWN",
  "CONNECTIONS_EXHAUSTED",
  "REQUESTS_EXHAUSTED",
  "PEER_STALLED",
];

/** BUSY if a later attempt may succeed, else REFUSED. */
export function refusalOf(message: string): ClientError {
  const isTransient = transientCodes.some((code) => message.includes(errorRow(code).reason));
  return new ClientError(isTransient ? "BUSY" : "REFUSED", message);
}
