/** What its sender says of a stream, and how that stands in the catalog: as JSON, or null where nothing was said. */

/** What kind of samples a stream has. */
export interface AudioDescription {
  /** As ffmpeg names it: "pcm_s16le". */
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

/** `json` is what `metadataToJson` made. */
export function metadataFromJson(json: string | null): StreamMetadata {
  if (json === null) return noMetadata;
  const { contentType, format, tags } = JSON.parse(json) as StreamMetadata;
  return { contentType, format, tags };
}

/** What is known of a stream: where its sender gave no type, the one that its first bytes show. */
export function describeStream(row: { metadata: StreamMetadata; format: string | null }): StreamMetadata {
  if (row.metadata.contentType !== undefined || row.format === null) return row.metadata;
  return { ...row.metadata, contentType: row.format };
}
