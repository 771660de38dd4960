/** What audio says of itself: its properties, and the tags inside it. */
import { type ICommonTagsResult, type IFormat, parseFromTokenizer } from "music-metadata";
import { maxReadingBytes, maxReadingMs, maxTagValueChars } from "../../base/limits/streams.ts";
import { FileTokenizer, type ParsedFile } from "../library/file-tokenizer.ts";
import type { AudioProperties } from "./metadata.ts";

export interface AudioFindings {
  audio: AudioProperties;
  tags: Record<string, string>;
}

/** Of audio that says nothing, or that cannot be read. */
export const noFindings: AudioFindings = {
  audio: { container: null, codec: null, duration: null, sampleRate: null, channels: null, bitRate: null },
  tags: {},
};

/** Reads what the file says, within limits of bytes and time. Damaged files say what could be read, or nothing. */
export async function readFindings(file: ParsedFile, mimeType: string): Promise<AudioFindings> {
  const duration = file.size <= maxReadingBytes;
  try {
    const source = new FileTokenizer(limited(file), { mimeType, size: file.size });
    const { format, common } = await parseFromTokenizer(source, { duration, skipCovers: true });
    return { audio: propertiesOf(format), tags: tagsOf(common) };
  } catch (error) {
    if (error instanceof Error) return noFindings;
    throw error;
  }
}

/** Fails the reads after a limit, which ends the parser. */
function limited(file: ParsedFile): ParsedFile {
  const deadline = performance.now() + maxReadingMs;
  let bytes = 0;
  return {
    size: file.size,
    read: async (offset, length) => {
      bytes += length;
      if (bytes > maxReadingBytes || performance.now() > deadline) throw new Error("too much to read");
      return await file.read(offset, length);
    },
  };
}

function propertiesOf(format: IFormat): AudioProperties {
  return {
    container: textOf(format.container),
    codec: textOf(format.codec),
    duration: figureOf(format.duration),
    sampleRate: wholeOf(format.sampleRate),
    channels: wholeOf(format.numberOfChannels),
    bitRate: figureOf(format.bitrate),
  };
}

function tagsOf(common: ICommonTagsResult): Record<string, string> {
  const found: Record<string, string | null> = {
    title: textOf(common.title),
    artist: textOf(common.artist),
    album: textOf(common.album),
    albumartist: textOf(common.albumartist),
    composer: textOf(common.composer?.join(", ")),
    genre: textOf(common.genre?.join(", ")),
    date: textOf(common.date ?? common.year?.toString()),
    track: textOf(common.track.no?.toString()),
  };
  return Object.fromEntries(Object.entries(found).filter((tag): tag is [string, string] => tag[1] !== null));
}

/** Null for a text that no tag may have. */
function textOf(text: string | undefined): string | null {
  const trimmed = text?.replaceAll("\0", " ").trim().toWellFormed() ?? "";
  return trimmed === "" || trimmed.length > maxTagValueChars ? null : trimmed;
}

function figureOf(figure: number | undefined): number | null {
  return figure !== undefined && Number.isFinite(figure) && figure > 0 ? figure : null;
}

function wholeOf(figure: number | undefined): number | null {
  const found = figureOf(figure);
  return found === null ? null : Math.round(found);
}
