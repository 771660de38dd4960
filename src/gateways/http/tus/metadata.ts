/** Upload-Metadata as what the other protocols know of a stream, and back. */
import { ParameterError } from "../../../base/errors.ts";
import { maxContentTypeChars } from "../../../base/limits/streams.ts";
import type { StreamMetadata } from "../../../store/streams/metadata.ts";
import { faultOfTags } from "../upload/tags.ts";

export interface NamedUpload {
  /** The id that the client wants for its stream. */
  streamId: string | undefined;
  metadata: StreamMetadata;
}

const idKey = "streamId";
/** The file's name becomes the tag `name`, as with other protocols. Uppy sends it under both keys. */
const nameKeys = ["filename", "name"] as const;
const typeKeys = ["filetype", "type"] as const;
const special: ReadonlySet<string> = new Set([idKey, ...nameKeys, ...typeKeys]);

/** Throws BAD_REQUEST. */
export function namedUpload(values: ReadonlyMap<string, string>): NamedUpload {
  const contentType = firstOf(values, typeKeys);
  if (contentType !== undefined && contentType.length > maxContentTypeChars) {
    throw wrong(`the type is longer than ${maxContentTypeChars} characters`);
  }
  const name = firstOf(values, nameKeys);
  const others = Array.from(values).filter(([key]) => !special.has(key));
  const tags = name === undefined ? others : [["name", name] as const, ...others];
  checkTags(tags);
  const metadata = { contentType, format: undefined, tags: Object.fromEntries(tags) };
  return { streamId: values.get(idKey), metadata };
}

/** The values of Upload-Metadata for a stream, whatever protocol began it. */
export function metadataValues({ contentType, tags }: StreamMetadata): Map<string, string> {
  const { name, ...others } = tags;
  const values = new Map<string, string>();
  if (name !== undefined) values.set(nameKeys[0], name);
  if (contentType !== undefined) values.set(typeKeys[0], contentType);
  for (const [key, value] of Object.entries(others)) values.set(key, value);
  return values;
}

/** An empty value says nothing. */
function firstOf(values: ReadonlyMap<string, string>, keys: readonly string[]): string | undefined {
  const found = keys.map((key) => values.get(key));
  return found.find((value) => value !== undefined && value !== "");
}

function checkTags(tags: (readonly [string, string])[]): void {
  const fault = faultOfTags(tags);
  if (fault !== undefined) throw wrong(fault);
}

function wrong(detail: string): ParameterError {
  return new ParameterError("Upload-Metadata", detail);
}
