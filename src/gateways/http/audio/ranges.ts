/** Byte ranges of a request (RFC 9110, section 14). */
import { maxRangeParts, maxRequestedRanges } from "../../../base/limits/audio-http.ts";

/** Bytes from `offset`; `length` is 1 or more. */
export interface ByteRange {
  offset: number;
  length: number;
}

/** What a Range header asks for: all of the audio, parts of it, or nothing that it has. */
export type Selection = "whole" | "unsatisfiable" | readonly ByteRange[];

/**
 * Selects the ranges of a representation of `size` bytes. A header that is invalid, has another unit, or asks for too
 * many ranges is ignored, as section 14.2 permits. Overlapping and adjacent ranges are merged; others keep their order.
 */
export function selectRanges(header: string | null, size: number): Selection {
  const list = /^bytes=(.*)$/is.exec(header ?? "")?.[1];
  if (list === undefined) return "whole";
  const texts = list.split(",", maxRequestedRanges + 1).map((text) => text.trim());
  const specs = texts.filter((text) => text !== "").map(parseSpec);
  if (specs.length === 0 || texts.length > maxRequestedRanges) return "whole";
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    if (spec === undefined) return "whole";
    const range = rangeWithin(spec, size);
    // Content-Range cannot say which part of nothing an answer is.
    if (range === "empty") return "whole";
    if (range !== undefined) ranges.push(range);
  }
  if (ranges.length === 0) return "unsatisfiable";
  const merged = mergeTouching(ranges);
  return merged.length > maxRangeParts ? "whole" : merged;
}

/** The value of Content-Range. `size` is undefined while the audio grows. */
export function contentRange({ offset, length }: ByteRange, size: number | undefined): string {
  return `bytes ${offset}-${offset + length - 1}/${size ?? "*"}`;
}

/** One range as written. Without `first`, it is the last `last` bytes. */
interface RangeSpec {
  first: number | undefined;
  last: number | undefined;
}

/** Undefined if it is invalid. */
function parseSpec(text: string): RangeSpec | undefined {
  const match = /^(\d*)-(\d*)$/.exec(text);
  if (match === null || text === "-") return undefined;
  const [first, last] = [position(match[1]!), position(match[2]!)];
  if (first !== undefined && last !== undefined && last < first) return undefined;
  return { first, last };
}

/** Positions beyond any file are all the same. */
function position(digits: string): number | undefined {
  return digits === "" ? undefined : Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** Undefined if the range lies outside; "empty" for the last bytes of a representation without any. */
function rangeWithin({ first, last }: RangeSpec, size: number): ByteRange | "empty" | undefined {
  if (first === undefined) {
    if (last === 0) return undefined;
    const length = Math.min(last!, size);
    return length === 0 ? "empty" : { offset: size - length, length };
  }
  if (first >= size) return undefined;
  const end = Math.min(last ?? size, size - 1) + 1;
  return { offset: first, length: end - first };
}

function mergeTouching(ranges: ByteRange[]): ByteRange[] {
  const merged: ByteRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.offset - b.offset)) {
    const previous = merged.at(-1);
    if (previous === undefined || range.offset > endOf(previous)) merged.push({ ...range });
    else previous.length = Math.max(endOf(previous), endOf(range)) - previous.offset;
  }
  return merged.length === ranges.length ? ranges : merged;
}

function endOf({ offset, length }: ByteRange): number {
  return offset + length;
}
