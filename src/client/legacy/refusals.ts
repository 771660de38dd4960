/** Which ERROR messages of a server a later attempt may not meet again. */
import { type ErrorCode, errorRow } from "../../base/errors.ts";
import { ClientError } from "../errors.ts";

const passing: readonly ErrorCode[] = [
  "WORKER_LOST",
  "SHUTTING_DOWN",
  "CONNECTIONS_EXHAUSTED",
  "REQUESTS_EXHAUSTED",
  "PEER_STALLED",
];

/** The error behind an ERROR message: BUSY where trying again makes sense, else REFUSED. */
export function refusalOf(message: string): ClientError {
  const transient = passing.some((code) => message.includes(errorRow(code).reason));
  return new ClientError(transient ? "BUSY" : "REFUSED", message);
}
