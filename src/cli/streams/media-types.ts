/** What the endings of file names say of the audio, and the other way round. */
import { extname } from "node:path";

const types: Record<string, string> = {
  ".wav": "audio/wav",
  ".mp3": "audio/mpeg",
  ".ogg": "audio/ogg",
  ".oga": "audio/ogg",
  ".opus": "audio/ogg",
  ".flac": "audio/flac",
  ".m4a": "audio/mp4",
  ".aac": "audio/aac",
};

/** The MIME type of a file's name; undefined where it says nothing. */
export function mediaTypeOf(name: string): string | undefined {
  return types[extname(name).toLowerCase()];
}

/** The usual ending for what a server says of a stream's audio; empty where that is unknown. */
export function endingOf(mediaType: string | null | undefined): string {
  const type = mediaType?.replace(/;.*$/, "").trim();
  return Object.keys(types).find((ending) => types[ending] === type) ?? "";
}
