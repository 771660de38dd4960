/** `POST /api/streams`: uploads a stream, whose id the server chooses. */
import type { NewStream } from "../../../engine/streams/streams.ts";
import type { UploadOwner } from "../../../engine/streams/upload.ts";
import { resourceOf } from "../../../access/actions.ts";
import { type ApiRequest, type Operation, operation } from "../operation.ts";
import type { OpenUpload } from "./body-upload.ts";
import { nameParameter } from "./description.ts";
import { readAudioHeaders, storeBody, stored } from "./request.ts";
import { storedHeaders, storedSchema, uploadErrors, uploadRequestHeaders } from "./schemas.ts";

/** What the operation needs of the engine. */
export interface PostStreams {
  startUpload(streamId: string, owner: UploadOwner, stream: NewStream): OpenUpload;
}

export function postOperation(streams: PostStreams): Operation {
  return operation({
    method: "post",
    route: "/api/streams",
    tag: "streams",
    access: { action: "upload", within: "streams" },
    summary: "Uploads a stream under a new id.",
    parameters: { name: nameParameter },
    headers: uploadRequestHeaders,
    body: { description: "The audio, of any length, also chunked.", content: ["*/*"] },
    streamsBody: true,
    answers: { 201: { description: "The stream is durable.", schema: storedSchema, headers: storedHeaders } },
    errors: uploadErrors,
    handle: (asked) => post(streams, asked, asked.query.name),
  });
}

async function post(streams: PostStreams, asked: ApiRequest<unknown>, name: string | undefined) {
  const { stream, sha256 } = readAudioHeaders(asked.request, name);
  const id = newStreamId(asked);
  const receipt = await storeBody(asked, sha256, (owner) => streams.startUpload(id, owner, stream));
  return stored(id, receipt, asked);
}

/** Throws FORBIDDEN if the caller's grants do not cover it. */
export function newStreamId({ principal }: Pick<ApiRequest, "principal">): string {
  const id = `stream-${crypto.randomUUID()}`;
  principal.require("upload", resourceOf("streams", id));
  return id;
}
