/** A request whose body is audio: what it asks for, checked before the body is taken. */
import { ParameterError, WavecacheError } from "../../../base/errors.ts";
import type { NewStream } from "../../../engine/streams/current-uploads.ts";
import type { Receipt } from "../../../engine/streams/upload-state.ts";
import type { UploadOwner } from "../../../engine/streams/upload.ts";
import type { StreamMetadata } from "../../../store/streams/metadata.ts";
import { type ApiRequest, json } from "../operation.ts";
import { type AudioPieces, BodyUpload, type OpenUpload } from "./body-upload.ts";
import { type DescriptionQuery, describeAudio } from "./description.ts";
import { declaredSha256, reprDigest } from "./digests.ts";

export interface SentAudio {
  stream: NewStream & { metadata: StreamMetadata };
  /** What the body must amount to, if the client says so. */
  sha256: string | undefined;
}

/** Throws what is wrong with the headers. */
export function readAudioHeaders(request: Request, query: DescriptionQuery): SentAudio {
  const size = wholeBodySize(request);
  const { headers } = request;
  const described = { type: headers.get("content-type"), disposition: headers.get("content-disposition") };
  return { stream: { metadata: describeAudio(query, described), size }, sha256: declaredSha256(headers) };
}

/** The length of the body, undefined if it is not known before. Throws if the request has none, or only a part of it. */
export function wholeBodySize({ headers, body }: Request): number | undefined {
  // Half of a stream must not become a stream: to continue an upload is what tus is for.
  if (headers.has("content-range")) throw new ParameterError("content-range", "parts are sent with tus");
  if ((headers.get("content-encoding") ?? "identity") !== "identity")
    throw new ParameterError("content-encoding", "expected the audio as it is");
  const length = headers.get("content-length");
  // Bun has no body of a request without a length or chunks, whatever follows.
  if (body === null && length === null && !headers.has("transfer-encoding"))
    throw new WavecacheError("BODY_MISSING");
  return length === null ? undefined : Number(length);
}

/** Takes all pieces as a stream that `start` begins; resolves once it is durable. */
export async function storePieces(
  pieces: AudioPieces,
  { connection, meter, principal }: Pick<ApiRequest, "connection" | "meter" | "principal">,
  sha256: string | undefined,
  start: (owner: UploadOwner) => OpenUpload,
): Promise<Receipt> {
  // Each request is an upload of its own; the id of its stream is known to `start`.
  const counted = (owner: UploadOwner) => principal.usage.openUpload(crypto.randomUUID(), () => start(owner));
  const upload = new BodyUpload(counted, { connection, meter, principal });
  await upload.receive(pieces);
  return await upload.finish(sha256);
}

/** The answer for a durable stream. */
export function stored(
  streamId: string,
  { size, sha256 }: Receipt,
  { meter }: Pick<ApiRequest, "meter">,
  status: 200 | 201 = 201,
): Response {
  const answer = json({ streamId, size, sha256 }, meter, status);
  answer.headers.set("location", `/api/streams/${streamId}`);
  answer.headers.set("etag", `"${sha256}"`);
  answer.headers.set("repr-digest", reprDigest(sha256));
  return answer;
}
