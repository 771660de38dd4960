/** What the client says about a stream. The catalog stores it as JSON, or as null if the client said nothing. */

import { WavecacheError } from "../../base/errors.ts";
import { maxTags, maxTagsChars } from "../../base/limits/streams.ts";

/** The format of a stream's samples. */
export interface AudioDescription {
  /** FFmpeg's name of the codec, for example "pcm_s16le". */
  codec: string;
  /** In Hz. */
  sampleRate: number;
  channels: number;
}

/** What the audio says of itself. Each is null where it does not. */
export interface AudioProperties {
  /** For example "Ogg". */
  container: string | null;
  codec: string | null;
  /** In seconds. */
  duration: number | null;
  /** In Hz. */
  sampleRate: number | null;
  channels: number | null;
  /** Bits a second, on average. */
  bitRate: number | null;
}

export interface StreamMetadata {
  /** MIME type. */
  contentType: string | undefined;
  format: AudioDescription | undefined;
  tags: Readonly<Record<string, string>>;
  /** Bytes that the whole stream is to have, if the client has said so. Only counts until the stream is finished. */
  declaredSize?: number | undefined;
}

export const noMetadata: StreamMetadata = Object.freeze({
  contentType: undefined,
  format: undefined,
  tags: Object.freeze({}),
});

/** `metadata` with the size that the whole stream is to have. */
export function withSize(metadata = noMetadata, size: number | undefined): StreamMetadata {
  return size === undefined ? metadata : { ...metadata, declaredSize: size };
}

export function metadataToJson({ contentType, format, tags, declaredSize }: StreamMetadata): string | null {
  const isEmpty =
    contentType === undefined &&
    format === undefined &&
    declaredSize === undefined &&
    Object.keys(tags).length === 0;
  if (isEmpty) return null;
  return JSON.stringify({ contentType, format, tags, declaredSize }).replaceAll(loneSurrogates, "\\ufffd");
}

/** Escaped, after any number of escaped backslashes. PostgreSQL takes no JSON with half of a character. */
const loneSurrogates = /(?<=(?<!\\)(?:\\\\)*)\\ud[89a-f][\da-f]{2}/g;

/** The inverse of `metadataToJson`. */
export function metadataFromJson(json: string | null): StreamMetadata {
  if (json === null) return noMetadata;
  const { contentType, format, tags, declaredSize } = JSON.parse(json) as StreamMetadata;
  return declaredSize === undefined
    ? { contentType, format, tags }
    : { contentType, format, tags, declaredSize };
}

/** With some tags set, and those removed whose value is null. Throws BAD_REQUEST if they are too many or too long. */
export function patchTags(
  metadata: StreamMetadata,
  patch: Readonly<Record<string, string | null>>,
): StreamMetadata {
  const { tags, ...rest } = metadata;
  const merged = Object.entries({ ...tags, ...patch }).filter(
    (tag): tag is [string, string] => tag[1] !== null,
  );
  if (merged.length > maxTags) throw new WavecacheError("BAD_REQUEST", `a stream has up to ${maxTags} tags`);
  if (charsOf(merged) > maxTagsChars)
    throw new WavecacheError("BAD_REQUEST", `the tags of a stream have up to ${maxTagsChars} characters`);
  return { ...rest, tags: Object.fromEntries(merged) };
}

/** With further tags, as far as there is room for them. Tags that are there stay as they are. */
export function addTags(metadata: StreamMetadata, further: Readonly<Record<string, string>>): StreamMetadata {
  const all = Object.entries(metadata.tags);
  for (const tag of Object.entries(further)) {
    const hasRoom = all.length < maxTags && charsOf(all) + charsOf([tag]) <= maxTagsChars;
    if (hasRoom && !Object.hasOwn(metadata.tags, tag[0])) all.push(tag);
  }
  return { ...metadata, tags: Object.fromEntries(all) };
}

function charsOf(tags: readonly [string, string][]): number {
  return tags.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
}

/** What a person calls the stream; undefined if its tags have no title. */
export function titleOf({ tags }: StreamMetadata): string | undefined {
  return tags["title"] || undefined;
}

/** The name of the uploaded file, without the folders above it; undefined if its tags have none. */
export function fileNameOf({ tags }: StreamMetadata): string | undefined {
  const name = tags["name"];
  return name?.slice(name.lastIndexOf("/") + 1) || undefined;
}

/** The client's metadata; if it has no content type, with the type that was detected from the first bytes. */
export function describeStream(row: { metadata: StreamMetadata; format: string | null }): StreamMetadata {
  if (row.metadata.contentType !== undefined || row.format === null) return row.metadata;
  return { ...row.metadata, contentType: row.format };
}
