/** What a client says about the audio that it sends: its name and its type. */
import { parse } from "content-disposition";
import { ParameterError } from "../../../base/errors.ts";
import { maxContentTypeChars, maxTags, maxTagValueChars } from "../../../base/limits/streams.ts";
import { noMetadata, type StreamMetadata } from "../../../store/streams/metadata.ts";
import * as parameter from "../parameters.ts";
import { faultOfTags } from "./tags.ts";

export const descriptionParameters = {
  name: parameter.text("The name of the file; otherwise that of Content-Disposition.", maxTagValueChars),
  "tag.*": parameter.texts("A tag of the stream, as `tag.artist=Bach`.", maxTags, maxTagValueChars),
};

export type DescriptionQuery = parameter.Values<typeof descriptionParameters>;

/** Types that clients send when they do not know the type. */
const undeclared: ReadonlySet<string> = new Set([
  "",
  "application/octet-stream",
  "application/x-www-form-urlencoded",
]);

/** Throws `ParameterError` for names, types and tags that are too long or not allowed. */
export function describeAudio(
  query: DescriptionQuery,
  { type, disposition }: { type: string | null | undefined; disposition?: string | null },
): StreamMetadata {
  const sentName = disposition == null ? undefined : parse(disposition).parameters["filename"];
  const name = query.name ?? sentName;
  const contentType = undeclared.has(type ?? "") ? undefined : type!;
  if ((name?.length ?? 0) > maxTagValueChars)
    throw new ParameterError("content-disposition", `a name has up to ${maxTagValueChars} characters`);
  if ((contentType?.length ?? 0) > maxContentTypeChars)
    throw new ParameterError("content-type", `a type has up to ${maxContentTypeChars} characters`);
  return { ...noMetadata, contentType, tags: tagsOf(name, query["tag.*"]) };
}

function tagsOf(name: string | undefined, others: Readonly<Record<string, string>>): Record<string, string> {
  const named: [string, string][] = name ? [["name", name.toWellFormed()]] : [];
  const tags = [...Object.entries(others), ...named];
  const fault = faultOfTags(tags);
  if (fault !== undefined) throw new ParameterError("tag.*", fault);
  return Object.fromEntries(tags);
}
