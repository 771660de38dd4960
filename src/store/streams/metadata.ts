/** What the client says about a stream. The catalog stores it as JSON, or as null if the client said nothing. */

/** The format of a stream's samples. */
export interface AudioDescription {
  /** FFmpeg's name of the codec, for example "pcm_s16le". */
  codec: string;
  /** In Hz. */
  sampleRate: number;
  channels: number;
}

export interface StreamMetadata {
  /** MIME type. */
  contentType: string | undefined;
  format: AudioDescription | undefined;
  tags: Readonly<Record<string, string>>;
}

export const noMetadata: StreamMetadata = Object.freeze({
  contentType: undefined,
  format: undefined,
  tags: Object.freeze({}),
});

export function metadataToJson({ contentType, format, tags }: StreamMetadata): string | null {
  const isEmpty = contentType === undefined && format === undefined && Object.keys(tags).length === 0;
  return isEmpty ? null : JSON.stringify({ contentType, format, tags });
}

/** The inverse of `metadataToJson`. */
export function metadataFromJson(json: string | null): StreamMetadata {
  if (json === null) return noMetadata;
  const { contentType, format, tags } = JSON.parse(json) as StreamMetadata;
  return { contentType, format, tags };
}

/** The client's metadata; if it has no content type, with the type that was detected from the first bytes. */
export function describeStream(row: { metadata: StreamMetadata; format: string | null }): StreamMetadata {
  if (row.metadata.contentType !== undefined || row.format === null) return row.metadata;
  return { ...row.metadata, contentType: row.format };
}
