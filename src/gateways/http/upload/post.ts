/** `POST /api/streams`: uploads a stream, or each file of a form, under an id that the server chooses. */
import * as v from "valibot";
import { resourceOf } from "../../../access/actions.ts";
import { ParameterError, WavecacheError } from "../../../base/errors.ts";
import type { NewStream } from "../../../engine/streams/current-uploads.ts";
import type { UploadOwner } from "../../../engine/streams/upload.ts";
import { type ApiRequest, json, type Operation, operation } from "../operation.ts";
import { bodyPieces, type OpenUpload } from "./body-upload.ts";
import { describeAudio, type DescriptionQuery, descriptionParameters } from "./description.ts";
import { digestHeaders } from "./digests.ts";
import { formFiles, isForm } from "./form.ts";
import { type Objects, readableObject } from "./objects.ts";
import { readAudioHeaders, stored, storePieces } from "./request.ts";
import { storedHeaders, storedSchema, uploadErrors, uploadRequestHeaders } from "./schemas.ts";

/** What the operation needs of the engine. */
export interface PostStreams {
  startUpload(streamId: string, owner: UploadOwner, stream: NewStream): OpenUpload;
}

type Asked = ApiRequest<DescriptionQuery>;

const filesSchema = v.strictObject({
  streams: v.array(v.strictObject({ ...storedSchema.entries, name: v.nullable(v.string()) })),
});

/** What the operation uploads to, and what need not be uploaded. */
interface Engine {
  streams: PostStreams;
  objects: Objects;
}

/** Of no bytes: a body without any is this audio, not a reference to it. */
const emptySha256 = new Bun.CryptoHasher("sha256").digest("hex");

export function postOperation(streams: PostStreams, objects: Objects): Operation {
  return operation({
    method: "post",
    route: "/api/streams",
    tag: "streams",
    access: { action: "upload", within: "streams" },
    summary: "Uploads a stream under a new id, or each file of a form.",
    parameters: descriptionParameters,
    headers: uploadRequestHeaders,
    body: { description: "The audio, of any length, also chunked; or a form with files.", content: ["*/*"] },
    streamsBody: true,
    answers: {
      201: {
        description: "The stream is durable. For a form: each of its files is.",
        schema: v.union([storedSchema, filesSchema]),
        headers: storedHeaders,
      },
    },
    errors: ["FORM_TOO_LARGE", "OBJECT_UNKNOWN", ...uploadErrors],
    handle: (asked) =>
      isForm(asked.request.headers) ? storeForm(streams, asked) : store({ streams, objects }, asked),
  });
}

async function store({ streams, objects }: Engine, asked: Asked): Promise<Response> {
  const { stream, sha256 } = readAudioHeaders(asked.request, asked.query);
  const id = newStreamId(asked);
  if (stream.size === 0 && sha256 !== undefined && sha256 !== emptySha256) {
    await readableObject(objects, sha256, asked.principal);
    return stored(id, await objects.adopt(id, sha256, stream.metadata, asked.principal.usage.account), asked);
  }
  const pieces = bodyPieces(asked.request.body);
  const receipt = await storePieces(pieces, asked, sha256, (owner) => streams.startUpload(id, owner, stream));
  return stored(id, receipt, asked);
}

/** The files before one that fails stay. */
async function storeForm(streams: PostStreams, asked: Asked): Promise<Response> {
  const { request, query, meter } = asked;
  if (query.name !== undefined) throw new ParameterError("name", "the files of a form have their own names");
  const digest = digestHeaders.find((name) => request.headers.has(name));
  // That of the form says nothing about any of the streams.
  if (digest !== undefined) throw new ParameterError(digest, "send one file as the body to have it compared");
  const all: v.InferOutput<typeof filesSchema>["streams"] = [];
  for await (const { name, type, pieces } of formFiles(request)) {
    const streamId = newStreamId(asked);
    const metadata = describeAudio({ ...query, name }, { type });
    const start = (owner: UploadOwner) => streams.startUpload(streamId, owner, { metadata });
    const { size, sha256 } = await storePieces(pieces, asked, undefined, start);
    all.push({ streamId, size, sha256, name: name ?? null });
  }
  if (all.length === 0) throw new WavecacheError("BODY_MISSING");
  return json({ streams: all }, meter, 201);
}

/** Throws FORBIDDEN if the caller's grants do not cover it. */
function newStreamId({ principal }: Pick<ApiRequest, "principal">): string {
  const id = `stream-${crypto.randomUUID()}`;
  principal.require("upload", resourceOf("streams", id));
  return id;
}
