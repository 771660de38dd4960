/** Ids of new streams. */
import { isStreamId } from "../base/ids/stream-id.ts";
import { ClientError } from "./errors.ts";

const randomBytes = 8;

/**
 * A unique id: `stream-`, milliseconds, and 64 random bits in hex, so that ids sort by age. It must be unique, because
 * some servers append to the bytes of an earlier stream with the same id.
 */
export function newStreamId(nowMs: number = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(randomBytes));
  const hex = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `stream-${nowMs}-${hex}`;
}

/** The error for an id whose stream is finished, and cannot be replaced. */
export function streamExists(id: string): ClientError {
  const hint = "choose another id, or remove the stream";
  return new ClientError("REFUSED", `another stream has the id ${id}`, hint, { serverCode: "STREAM_EXISTS" });
}

/** Returns the id; throws BAD_ARGUMENT if it is not allowed. */
export function checkedStreamId(id: string): string {
  if (isStreamId(id)) return id;
  const hint = "use 1 to 128 letters, digits, '-', '_' or '.', but not '.' or '..'";
  throw new ClientError("BAD_ARGUMENT", `stream id "${id}"`, hint);
}
