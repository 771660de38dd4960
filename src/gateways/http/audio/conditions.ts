/** Conditional requests (RFC 9110, section 13). */
import { parseHttpDate } from "./http-date.ts";

/** What a representation can be compared by. */
export interface Validators {
  /** A strong one, with its quotes; undefined while the audio may change. */
  etag: string | undefined;
  /** In milliseconds since 1970; HTTP knows whole seconds only. */
  lastModified: number | undefined;
}

export type Outcome = "proceed" | "not modified" | "failed";

/** Evaluates the preconditions of a GET or HEAD in the order of section 13.2.2. */
export function evaluateConditions(headers: Headers, validators: Validators): Outcome {
  if (!isUnchanged(headers, validators)) return "failed";
  return isChanged(headers, validators) ? "proceed" : "not modified";
}

/** Whether a Range header may be honored: If-Range is missing, or names exactly this representation. */
export function allowsRange(headers: Headers, { etag, lastModified }: Validators): boolean {
  const condition = headers.get("if-range");
  if (condition === null) return true;
  if (condition.includes('"')) return etag !== undefined && condition.trim() === etag;
  return lastModified !== undefined && parseHttpDate(condition) === wholeSecond(lastModified);
}

/** Whether the value of If-Match is true of something with this strong tag. */
export function ifMatch(value: string, etag: string | undefined): boolean {
  return matches(value, (tag) => tag === etag);
}

/** If-Match, or else If-Unmodified-Since. */
function isUnchanged(headers: Headers, { etag, lastModified }: Validators): boolean {
  const match = headers.get("if-match");
  if (match !== null) return ifMatch(match, etag);
  const since = parseHttpDate(headers.get("if-unmodified-since"));
  return since === undefined || lastModified === undefined || wholeSecond(lastModified) <= since;
}

/** If-None-Match, or else If-Modified-Since. */
function isChanged(headers: Headers, { etag, lastModified }: Validators): boolean {
  const match = headers.get("if-none-match");
  if (match !== null) return !matches(match, (tag) => tag.replace(/^W\//, "") === etag);
  const since = parseHttpDate(headers.get("if-modified-since"));
  return since === undefined || lastModified === undefined || wholeSecond(lastModified) > since;
}

const entityTag = /[ \t]*(?:((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|$)/y;

/** Whether a list of entity tags is `*`, or has one that is the same. A malformed list matches nothing. */
function matches(list: string, isSame: (tag: string) => boolean): boolean {
  if (list.trim() === "*") return true;
  let found = false;
  for (entityTag.lastIndex = 0; entityTag.lastIndex < list.length;) {
    const element = entityTag.exec(list);
    if (element === null) return false;
    if (element[1] !== undefined && isSame(element[1])) found = true;
  }
  return found;
}

function wholeSecond(ms: number): number {
  return ms - (ms % 1000);
}
