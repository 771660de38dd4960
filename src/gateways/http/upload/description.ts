/** What a client says about the audio that it sends: its name and its type. */
import { parse } from "content-disposition";
import * as v from "valibot";
import { ParameterError } from "../../../base/errors.ts";
import { maxContentTypeChars, maxTagValueChars } from "../../../base/limits/streams.ts";
import { noMetadata, type StreamMetadata } from "../../../store/streams/metadata.ts";
import type { Parameter } from "../parameters.ts";

export const nameParameter: Parameter<string | undefined> = {
  description: "The name of the file; otherwise that of Content-Disposition.",
  describes: { type: "string", maxLength: maxTagValueChars },
  schema: v.optional(
    v.pipe(v.string(), v.maxLength(maxTagValueChars, `up to ${maxTagValueChars} characters`)),
  ),
};

/** Types that clients send when they do not know the type. */
const undeclared: ReadonlySet<string> = new Set([
  "",
  "application/octet-stream",
  "application/x-www-form-urlencoded",
]);

/** Throws `ParameterError` for a name or a type that is too long. */
export function describeAudio(
  name: string | undefined,
  { type, disposition }: { type: string | null | undefined; disposition?: string | null },
): StreamMetadata {
  const fileName = name ?? (disposition == null ? undefined : parse(disposition).parameters["filename"]);
  const contentType = undeclared.has(type ?? "") ? undefined : type!;
  if ((fileName?.length ?? 0) > maxTagValueChars)
    throw new ParameterError("content-disposition", `a name has up to ${maxTagValueChars} characters`);
  if ((contentType?.length ?? 0) > maxContentTypeChars)
    throw new ParameterError("content-type", `a type has up to ${maxContentTypeChars} characters`);
  const tags: Record<string, string> = fileName ? { name: fileName.toWellFormed() } : {};
  return { ...noMetadata, contentType, tags };
}
