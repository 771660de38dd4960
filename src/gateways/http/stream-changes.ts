/** Changes the title and the tags of a stream, by a merge patch (RFC 7396). */
import * as v from "valibot";
import { WavecacheError } from "../../base/errors.ts";
import { isStreamId } from "../../base/ids/stream-id.ts";
import { maxPatchBytes, maxTagKeyChars, maxTags, maxTagValueChars } from "../../base/limits/streams.ts";
import { readBody } from "../../listen/request-body.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import { json, type Operation, operation } from "./operation.ts";
import { describe, streamSchema, type Uploads } from "./stream-json.ts";

/** What the operation needs of the engine. */
export interface StreamTags {
  /** Null removes a tag. Rejects with STREAM_UNKNOWN, and with BAD_REQUEST if the stream has too many tags then. */
  changeTags(streamId: string, patch: Readonly<Record<string, string | null>>): Promise<StreamRow>;
}

const expectedObject = "expected an object of title and tags";

const keySchema = v.pipe(
  v.string(),
  v.minLength(1, "expected a name"),
  v.maxLength(maxTagKeyChars, `expected at most ${maxTagKeyChars} characters`),
);
const valueSchema = v.nullable(
  v.pipe(
    v.string("expected a text, or null to remove it"),
    v.maxLength(maxTagValueChars, `expected at most ${maxTagValueChars} characters`),
  ),
);

const patchSchema = v.strictObject({
  /** The tag `title`. */
  title: v.optional(valueSchema),
  tags: v.optional(
    v.pipe(
      v.record(keySchema, valueSchema),
      v.maxEntries(2 * maxTags, `expected at most ${2 * maxTags} changes`),
    ),
  ),
});

export function changeOperation(streams: StreamTags & Uploads): Operation {
  return operation({
    method: "patch",
    route: "/api/streams/:id",
    tag: "streams",
    access: { action: "upload", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: "Changes the title and the tags of a stream.",
    segments: { id: "The id of the stream." },
    parameters: {},
    body: {
      description: "A merge patch: what it leaves out stays, and null removes.",
      content: ["application/merge-patch+json", "application/json"],
      schema: patchSchema,
    },
    answers: { 200: { description: "The changed stream.", schema: streamSchema } },
    errors: ["STREAM_UNKNOWN", "MESSAGE_TOO_LARGE", "MESSAGE_UNFINISHED", "DISK_FULL", "STORE_FAILED"],
    async handle({ request, path, meter }) {
      const { title, tags = {} } = parsePatch(await readBody(request, { maxBytes: maxPatchBytes }));
      const id = path["id"]!;
      if (!isStreamId(id)) throw new WavecacheError("STREAM_UNKNOWN");
      const patch = title === undefined ? tags : { ...tags, title };
      return json(describe(await streams.changeTags(id, patch), streams), meter);
    },
  });
}

type Patch = v.InferOutput<typeof patchSchema>;

/** Not part of the schema, which has to be a JSON Schema, too. */
const wellFormed = v.check<Patch, string>(isWellFormed, "expected well-formed Unicode");
/** An array would pass for an object without any member. */
const noArray = v.check((value) => !Array.isArray(value), expectedObject);
const bodySchema = v.pipe(
  v.string(),
  v.parseJson(undefined, "expected JSON"),
  noArray,
  patchSchema,
  wellFormed,
);

function isWellFormed({ title, tags = {} }: Patch): boolean {
  return [title, ...Object.entries(tags).flat()].every((text) => text?.isWellFormed() ?? true);
}

function parsePatch(body: Uint8Array): Patch {
  const result = v.safeParse(bodySchema, new TextDecoder().decode(body));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const field = issue.path?.[0]?.key;
  // Other messages of the library repeat the input.
  const problem = issue.message.startsWith("expected") ? issue.message : expectedObject;
  throw new WavecacheError(
    "BAD_REQUEST",
    field === "title" || field === "tags" ? `${field}: ${problem}` : problem,
  );
}
