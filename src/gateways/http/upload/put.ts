/**
 * `PUT /api/streams/{id}/audio`: uploads a stream under an id of the client's choice. An unfinished one of the id begins
 * anew, also if another connection still uploads it: a client that lost its connection must not wait for the server to
 * notice. A finished one never changes.
 */
import { toWavecacheError, WavecacheError } from "../../../base/errors.ts";
import type { NewStream } from "../../../engine/streams/current-uploads.ts";
import type { UploadOwner } from "../../../engine/streams/upload.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import { type ApiRequest, type Operation, operation } from "../operation.ts";
import { bodyPieces, type OpenUpload } from "./body-upload.ts";
import { type DescriptionQuery, descriptionParameters } from "./description.ts";
import { readAudioHeaders, storePieces, stored } from "./request.ts";
import { storedHeaders, storedSchema, uploadErrors, uploadRequestHeaders } from "./schemas.ts";

/** What the operation needs of the engine. */
export interface PutStreams {
  startUpload(streamId: string, owner: UploadOwner, stream: NewStream): OpenUpload;
  restartUpload(streamId: string, owner: UploadOwner, stream: NewStream): OpenUpload;
  find(streamId: string): Promise<StreamRow | null>;
}

const answer = { schema: storedSchema, headers: storedHeaders };

export function putOperation(streams: PutStreams): Operation {
  return operation({
    method: "put",
    route: "/api/streams/:id/audio",
    tag: "streams",
    access: { action: "upload", on: "streams/:id" },
    summary: "Uploads a stream. An unfinished one of the id begins anew.",
    segments: { id: "The id of the stream." },
    parameters: descriptionParameters,
    headers: {
      ...uploadRequestHeaders,
      "if-none-match": "`*` refuses an id that is in use, finished or not, with 412.",
    },
    body: { description: "The audio, of any length, also chunked.", content: ["*/*"] },
    streamsBody: true,
    answers: {
      200: { description: "The stream has this audio already, as the digest shows.", ...answer },
      201: { description: "The stream is durable.", ...answer },
    },
    errors: ["BAD_STREAM_ID", "STREAM_FINISHED", "PRECONDITION_FAILED", ...uploadErrors],
    handle: (asked) => put(streams, asked),
  });
}

async function put(streams: PutStreams, asked: ApiRequest<DescriptionQuery>) {
  const { request, path } = asked;
  const id = path["id"]!;
  const { stream, sha256 } = readAudioHeaders(request, asked.query);
  const mustBeNew = isIdToBeNew(request.headers);
  try {
    const receipt = await storePieces(bodyPieces(request.body), asked, sha256, (owner) =>
      mustBeNew ? streams.startUpload(id, owner, stream) : streams.restartUpload(id, owner, stream),
    );
    return stored(id, receipt, asked);
  } catch (error) {
    const { code } = toWavecacheError(error);
    if (code === "STREAM_EXISTS") throw new WavecacheError("PRECONDITION_FAILED");
    const row = code === "STREAM_FINISHED" && sha256 !== undefined ? await streams.find(id) : null;
    // The client missed the answer to the same request before.
    if (row?.state === "finished" && row.sha256 === sha256)
      return stored(id, { size: row.size, sha256 }, asked, 200);
    throw error;
  }
}

/** Throws PRECONDITION_FAILED for If-Match: audio that has a validator cannot be replaced. */
function isIdToBeNew(headers: Headers): boolean {
  if (headers.has("if-match")) throw new WavecacheError("PRECONDITION_FAILED");
  return headers.get("if-none-match")?.trim() === "*";
}
