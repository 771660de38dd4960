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

/** Other usual extensions of audio, whose media types vary. */
const otherExtensions: ReadonlySet<string> = new Set(
  ".aif .aifc .aiff .alac .amr .ape .au .caf .dff .dsf .m4b .mka .mp2 .pcm .ra .raw .rf64 .snd .spx .tta .w64 .weba .webm .wma .wv".split(
    " ",
  ),
);

/** Whether a file name has the extension of an audio format. */
export function isAudioName(name: string): boolean {
  const extension = extname(name).toLowerCase();
  return extension in typesByExtension || otherExtensions.has(extension);
}

/** The media type of a file name; undefined for unknown extensions. */
export function mediaTypeOf(name: string): string | undefined {
  return typesByExtension[extname(name).toLowerCase()];
}

/** The usual extension of a media type, whose parameters are ignored; empty for unknown types. */
export function extensionOf(mediaType: string | null | undefined): string {
  const type = mediaType?.replace(/;.*$/, "").trim();
  return Object.keys(typesByExtension).find((extension) => typesByExtension[extension] === type) ?? "";
}
