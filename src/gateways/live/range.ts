/**
 * Range requests (RFC 9110, section 14.2) for a WAV file that has no end yet.
 *
 * Safari and iOS first ask every audio source for `bytes=0-1`, and give up unless the answer is 206 with the size of the
 * whole file; then they ask for all of it, by its last byte. The size that they get is the largest that a WAV header can
 * claim, and the one that the header of a live stream does claim. A range from the middle continues with the audio of
 * now: a player asks for it after it has lost its connection. An open range from the start, `bytes=0-`, is the whole
 * file, without a size: other players would show one as the duration, or seek to the end of it.
 */
import { wavHeaderBytes } from "../../codec/wav/wav.ts";

/** A part of the file. */
export interface WavPart {
  /** Index of its first byte. */
  from: number;
  bytes: number;
}

export const wholeWav: WavPart = { from: 0, bytes: Infinity };

/** The size of the header, and of the data that it claims. */
const totalBytes = wavHeaderBytes + 0xffffffff;

/** The part that a request asks for. A server may ignore a Range header, and has to where it is invalid. */
export function requestedPart(headers: Headers): WavPart | "unsatisfiable" {
  // There is no validator that If-Range could match.
  if (headers.has("if-range")) return wholeWav;
  const [, first, last] = /^bytes=(\d+)-(\d*)$/i.exec(headers.get("range") ?? "") ?? [];
  if (first === undefined || last === undefined) return wholeWav;
  const from = Number(first);
  const to = last === "" ? totalBytes - 1 : Math.min(Number(last), totalBytes - 1);
  if (from >= totalBytes) return "unsatisfiable";
  if (to < from || (from === 0 && last === "")) return wholeWav;
  return { from, bytes: to - from + 1 };
}

/** The headers of a 206 with this part. */
export function partHeaders({ from, bytes }: WavPart): Record<string, string> {
  return { "accept-ranges": "bytes", "content-range": `bytes ${from}-${from + bytes - 1}/${totalBytes}` };
}

/** The header of a 416. */
export const outsideHeaders = { "content-range": `bytes */${totalBytes}` };
