/** Media types of audio by file extension, and back. */
import { extname } from "node:path";

const typesByExtension: Record<string, string> = {
  ".wav": "audio/wav",
  ".mp3": "audio/mpeg",
  ".ogg": "audio/ogg",
  ".oga": "audio/ogg",
  ".opus": "audio/ogg",
  ".flac": "audio/flac",
  ".m4a": "audio/mp4",
  ".aac": "audio/aac",
};

/** The media type of a file name; undefined for unknown extensions. */
export function mediaTypeOf(name: string): string | undefined {
  return typesByExtension[extname(name).toLowerCase()];
}

/** The usual extension of a media type, whose parameters are ignored; empty for unknown types. */
export function extensionOf(mediaType: string | null | undefined): string {
  const type = mediaType?.replace(/;.*$/, "").trim();
  return Object.keys(typesByExtension).find((extension) => typesByExtension[extension] === type) ?? "";
}
