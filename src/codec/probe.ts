/** Finds out what a file holds, and where, although taggers and damaged transfers put other bytes in front. */
import { id3TagBytes } from "./id3.ts";
import { findMpegFrames, isFreeFormat } from "./mpeg.ts";
import { sniffAudioFormat, sniffBytes } from "./sniff.ts";

/** Reads up to `bytes` bytes at `at`, fewer at the end of the file. */
export type ReadAt = (at: number, bytes: number) => Uint8Array | Promise<Uint8Array>;

export interface AudioProbe {
  /** MIME type; undefined if it is unknown. */
  format: string | undefined;
  /** Offset of the audio: behind tags, and for MPEG audio behind anything else too. */
  at: number;
}

/** Files have one tag, or few; more count as junk. */
const maxLeadingTags = 16;
/** MPEG audio must begin within this many bytes that are something else. */
const maxJunkBytes = 256 * 1024;
const windowBytes = 64 * 1024;
/** More than the longest frames that are searched for, so that none is cut by the edge of a window. */
const overlapBytes = 12 * 1024;
/** By chance, a few bytes look like one frame or two. */
const framesInRow = 3;

/** Reads little if the file begins with what it is, and `maxJunkBytes` at most. Throws what `read` throws. */
export async function probeAudio(read: ReadAt): Promise<AudioProbe> {
  let at = 0;
  let head = await read(0, sniffBytes);
  for (let tags = 0; tags < maxLeadingTags; tags++) {
    const bytes = id3TagBytes(head);
    if (bytes === 0) break;
    at += bytes;
    head = await read(at, sniffBytes);
  }
  const format = sniffAudioFormat(head);
  if (format !== undefined) return { format, at };
  const mpegAt = await findMpeg(read, at);
  if (mpegAt !== undefined) return { format: "audio/mpeg", at: mpegAt };
  // What has a tag and nothing else that is known was meant as MP3.
  return { format: at > 0 ? "audio/mpeg" : undefined, at };
}

async function findMpeg(read: ReadAt, from: number): Promise<number | undefined> {
  for (let at = from; at < from + maxJunkBytes; at += windowBytes - overlapBytes) {
    const window = await read(at, windowBytes);
    const found = findMpegFrames(window, framesInRow);
    if (found >= 0) return at + found;
    if (at === from && isFreeFormat(window)) return at;
    if (window.length < windowBytes) return undefined;
  }
  return undefined;
}
