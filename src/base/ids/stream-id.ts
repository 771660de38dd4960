/** Stream ids, which become part of answers, logs and URLs, never of file names. */
import { maxStreamIdChars } from "../limits/streams.ts";

const pattern = new RegExp(`^[A-Za-z0-9_.-]{1,${maxStreamIdChars}}$`);

/** True for an id of 1 to 128 letters, digits, `-`, `_`, `.` that is not `.` or `..`. */
export function isStreamId(text: string): boolean {
  return pattern.test(text) && text !== "." && text !== "..";
}
