/** The Content-Type of audio: one of this list, or none that a browser would show. */

/** What bytes are that are not known to be audio. A browser saves them, and never shows them as a page. */
export const unknownMediaType = "application/octet-stream";

const allowed: ReadonlySet<string> = new Set([
  "audio/3gpp",
  "audio/aac",
  "audio/aacp",
  "audio/ac3",
  "audio/aiff",
  "audio/amr",
  "audio/basic",
  "audio/flac",
  "audio/matroska",
  "audio/midi",
  "audio/mp4",
  "audio/mpeg",
  "audio/ogg",
  "audio/opus",
  "audio/vnd.wave",
  "audio/wav",
  "audio/webm",
  "audio/x-aiff",
  "audio/x-caf",
  "audio/x-flac",
  "audio/x-m4a",
  "audio/x-matroska",
  "audio/x-ms-wma",
  "audio/x-wav",
]);

/** Other names of types in the list. */
const aliases: Readonly<Record<string, string>> = {
  "application/ogg": "audio/ogg",
  "audio/mp3": "audio/mpeg",
  "audio/vorbis": "audio/ogg",
  "audio/wave": "audio/wav",
  "audio/x-mp3": "audio/mpeg",
};

/** The codecs of a container (RFC 6381), which tell a player whether it can play it. */
const codecsParameter = /;\s*codecs\s*=\s*"?([\w.-]{1,64})"?\s*(?:;|$)/i;

/** The first of these types that is in the list, else `unknownMediaType`. Only its parameter `codecs` is kept. */
export function audioMediaType(candidates: readonly (string | null | undefined)[]): string {
  for (const candidate of candidates) {
    const name = candidate?.split(";", 1)[0]!.trim().toLowerCase() ?? "";
    const type = Object.hasOwn(aliases, name) ? aliases[name]! : name;
    if (!allowed.has(type)) continue;
    const codecs = codecsParameter.exec(candidate!)?.[1];
    return codecs === undefined ? type : `${type}; codecs=${codecs}`;
  }
  return unknownMediaType;
}

const extensions: Readonly<Record<string, string>> = {
  "audio/aac": "aac",
  "audio/aiff": "aiff",
  "audio/flac": "flac",
  "audio/matroska": "mka",
  "audio/midi": "mid",
  "audio/mp4": "m4a",
  "audio/mpeg": "mp3",
  "audio/ogg": "ogg",
  "audio/wav": "wav",
  "audio/webm": "webm",
};

/** The extension of files of this type, without a dot; undefined if none is usual. */
export function extensionOf(mediaType: string): string | undefined {
  if (mediaType === "audio/ogg; codecs=opus") return "opus";
  const type = mediaType.replace(/;.*/, "");
  return Object.hasOwn(extensions, type) ? extensions[type] : undefined;
}
