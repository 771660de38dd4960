/** The type and duration of an audio file. */
import { parseFromTokenizer } from "music-metadata";
import { WavecacheError } from "../../base/errors.ts";
import { inspectBytes, maxScannedSongBytes } from "../../base/limits/library.ts";
import { KiB } from "../../base/limits/units.ts";
import { MpegDuration, MpegFrames } from "../../codec/mpeg.ts";
import { OggOpusError, OggOpusParser } from "../../codec/ogg/ogg-opus.ts";
import { opusSampleRate } from "../../codec/opus.ts";
import { probeAudio, type ReadAt } from "../../codec/probe.ts";
import { wavSamples } from "../../codec/wav/samples.ts";
import { WavHeadParser } from "../../codec/wav/wav.ts";
import type { OpenedFile } from "./file.ts";
import { FileTokenizer } from "./file-tokenizer.ts";

export interface AudioDetails {
  /** MIME type, by content, or else by the extension. */
  type: string;
  /** Seconds; null if unknown. */
  duration: number | null;
}

/** One read of the head of a WAV file. */
const headReadBytes = 16 * KiB;

const unknownType = "application/octet-stream";

const typesByExtension: Record<string, string> = {
  aac: "audio/aac",
  aif: "audio/aiff",
  aiff: "audio/aiff",
  flac: "audio/flac",
  m4a: "audio/mp4",
  mid: "audio/midi",
  mka: "audio/matroska",
  mp3: "audio/mpeg",
  oga: "audio/ogg",
  ogg: "audio/ogg",
  opus: "audio/ogg; codecs=opus",
  wav: "audio/wav",
  weba: "audio/webm",
  webm: "audio/webm",
  wma: "audio/x-ms-wma",
};

/** Reads a file's type and duration. A file that is damaged or not audio has no duration; only disk failures throw. */
export async function inspectAudio(name: string, file: OpenedFile): Promise<AudioDetails> {
  const read = readerOf(file);
  const probe = await probeAudio(read);
  const type = probe.format ?? typeByName(name);
  if (type === unknownType) return { type, duration: null };
  const duration = await ownDuration(read, probe.at, type, file.size);
  return { type, duration: duration === undefined ? await parsedDuration(name, type, file) : duration };
}

/** The type that `inspectAudio` would find. */
export async function audioTypeOf(name: string, file: OpenedFile): Promise<string> {
  return (await probeAudio(readerOf(file))).format ?? typeByName(name);
}

function readerOf(file: OpenedFile): ReadAt {
  return (at, bytes) => file.read(Math.min(at, file.size), bytesWithin(file, at, bytes));
}

function typeByName(name: string): string {
  const extension = /\.([^./]+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(typesByExtension, extension) ? typesByExtension[extension]! : unknownType;
}

/** The duration of what sounds are made of, exactly as it is played. Undefined for other files. */
async function ownDuration(
  read: ReadAt,
  audioAt: number,
  type: string,
  fileBytes: number,
): Promise<number | null | undefined> {
  if (type === "audio/wav") return await wavDuration(read, fileBytes);
  if (fileBytes > maxScannedSongBytes) return undefined;
  if (type === "audio/mpeg") return await mpegDuration(read, audioAt);
  return type === "audio/ogg; codecs=opus" ? await opusDuration(read) : undefined;
}

function bytesWithin(file: OpenedFile, at: number, bytes: number): number {
  return Math.max(0, Math.min(bytes, file.size - at));
}

async function wavDuration(read: ReadAt, fileBytes: number): Promise<number | null | undefined> {
  const parser = new WavHeadParser(fileBytes);
  for (let at = 0; ;) {
    const head = parser.parse(await read(at, headReadBytes), at);
    if (head.kind === "refused") return undefined;
    if (head.kind === "format") {
      const { dataAt, dataBytes = fileBytes - dataAt, sampleRate } = head.format;
      return wavSamples(head.format, dataBytes) / sampleRate;
    }
    if (head.kind === "mpeg")
      return fileBytes > maxScannedSongBytes ? null : await mpegDuration(read, head.dataAt);
    at = head.at;
  }
}

/** Counts all frames: tags state wrong lengths, and the bit rate and sample rate may change. */
async function mpegDuration(read: ReadAt, from: number): Promise<number | null> {
  const parser = new MpegFrames();
  const counter = new MpegDuration();
  for await (const bytes of pieces(read, from)) counter.add(parser.push(bytes));
  counter.add(parser.end());
  return counter.seconds > 0 ? counter.seconds : null;
}

async function opusDuration(read: ReadAt): Promise<number | null> {
  const parser = new OggOpusParser();
  try {
    for await (const bytes of pieces(read, 0)) parser.push(bytes);
    parser.end();
  } catch (error) {
    if (error instanceof OggOpusError) return null;
    throw error;
  }
  return parser.audibleSamples > 0 ? parser.audibleSamples / opusSampleRate : null;
}

async function* pieces(read: ReadAt, from: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = from; ;) {
    const bytes = await read(at, inspectBytes);
    if (bytes.length === 0) return;
    yield bytes;
    at += bytes.length;
  }
}

async function parsedDuration(name: string, type: string, file: OpenedFile): Promise<number | null> {
  try {
    const source = new FileTokenizer(file, { path: name, mimeType: type, size: file.size });
    const duration = file.size <= maxScannedSongBytes;
    const { format } = await parseFromTokenizer(source, { duration, skipCovers: true });
    const seconds = format.duration ?? 0;
    return Number.isFinite(seconds) && seconds > 0 ? seconds : null;
  } catch (error) {
    // Errors without a system call come from the parser: the file is damaged or of another type, the disk is fine.
    if (error instanceof WavecacheError || (error instanceof Error && "syscall" in error)) throw error;
    return null;
  }
}
