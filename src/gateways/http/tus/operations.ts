/**
 * tus 1.0 (https://tus.io/protocols/resumable-upload) with the extensions creation, creation-with-upload,
 * creation-defer-length, checksum, expiration and termination.
 */
import { resourceOf } from "../../../access/actions.ts";
import { ParameterError, WavecacheError } from "../../../base/errors.ts";
import { httpIdleSeconds } from "../../../base/limits/connections.ts";
import {
  checksumAlgorithms,
  decodeBytes,
  decodeChecksum,
  decodeMetadata,
  encodeMetadata,
  offsetOctetStream,
  tusVersion,
} from "../../../wire/tus.ts";
import { formatHttpDate } from "../audio/http-date.ts";
import type { ApiRequest, Operation } from "../operation.ts";
import { operation } from "../operation.ts";
import { bodyPieces } from "../upload/body-upload.ts";
import { CheckedBodies } from "./checked-bodies.ts";
import { metadataValues, namedUpload } from "./metadata.ts";
import { tusOperation } from "./operation.ts";
import { type Chunk, noChunk, type Progress, type TusUploads } from "./uploads.ts";

const collection = "/api/tus";
const upload = "/api/tus/:id";
const tag = "tus";
const segments = { id: "The id of the stream, which is also that of the upload." };
const extensions = [
  "creation",
  "creation-with-upload",
  "creation-defer-length",
  "checksum",
  "expiration",
  "termination",
];

/** What the answer to audio says. */
const progressHeaders = {
  "Upload-Offset": "Bytes of the upload that are durable.",
  "Upload-Expires": "When the upload is removed if it is not continued; missing once it is finished.",
};
const checksumHeader = {
  "Upload-Checksum": `The digest of the body: ${checksumAlgorithms.join(" or ")}, a space, and base64.`,
};
const lengthHeader = { "Upload-Length": "Bytes of the whole stream." };
const bodyErrors = [
  "CHECKSUM_WRONG",
  "CHECKED_TOO_LARGE",
  "MESSAGE_UNFINISHED",
  "LENGTH_EXCEEDED",
  "BODY_STALLED",
  "STREAM_UNFINISHED",
  "STREAM_TAKEN_OVER",
  "STREAM_TOO_LARGE",
  "STREAMS_EXHAUSTED",
  "CACHE_FULL",
  "DISK_FULL",
  "STORE_LOST",
  "STORE_FAILED",
  "WORKER_LOST",
  "SHUTTING_DOWN",
] as const;

export function tusOperations(uploads: TusUploads): Operation[] {
  const checked = new CheckedBodies();
  return [
    optionsOperation(uploads, collection),
    optionsOperation(uploads, upload),
    createOperation(uploads, checked),
    describeOperation(uploads),
    appendOperation(uploads, checked),
    removeOperation(uploads),
  ];
}

function optionsOperation(uploads: TusUploads, route: string): Operation {
  return operation({
    method: "options",
    route,
    tag,
    access: "open",
    summary: "What the server supports of tus.",
    ...(route === upload ? { segments } : {}),
    parameters: {},
    answers: {
      204: {
        description: "The headers say it.",
        headers: {
          "Tus-Resumable": "The version that the server prefers.",
          "Tus-Version": "The versions that the server supports.",
          "Tus-Extension": "The extensions that the server supports.",
          "Tus-Max-Size": "The longest upload, in bytes.",
          "Tus-Checksum-Algorithm": "The algorithms that the server supports.",
        },
      },
    },
    errors: [],
    handle: () =>
      empty(204, {
        "tus-resumable": tusVersion,
        "tus-version": tusVersion,
        "tus-extension": extensions.join(","),
        "tus-max-size": String(uploads.maxBytes),
        "tus-checksum-algorithm": checksumAlgorithms.join(","),
      }),
  });
}

function createOperation(uploads: TusUploads, checked: CheckedBodies): Operation {
  return tusOperation({
    method: "post",
    route: collection,
    tag,
    access: { action: "upload", within: "streams" },
    summary: "Creates an upload, and takes its first audio if there is a body.",
    parameters: {},
    headers: {
      ...lengthHeader,
      "Upload-Defer-Length": "1 if the length is not known yet.",
      "Upload-Metadata": "filename, filetype, the wanted streamId, and tags; values in base64.",
      ...checksumHeader,
    },
    body: { description: "The first audio.", content: [offsetOctetStream] },
    streamsBody: true,
    answers: {
      201: {
        description: "The upload is created.",
        headers: { Location: "The path of the upload.", ...progressHeaders },
      },
    },
    errors: ["BAD_STREAM_ID", "STREAM_EXISTS", ...bodyErrors],
    async handle(asked) {
      const { headers } = asked.request;
      const size = newLength(headers);
      const { streamId = `stream-${crypto.randomUUID()}`, metadata } = namedUpload(decodeMetadata(headers));
      asked.principal.require("upload", resourceOf("streams", streamId));
      const chunk = isChunk(headers) ? await chunkOf(asked, checked) : noChunk;
      const progress = await uploads.create(streamId, { metadata, size }, chunk, asked);
      return empty(201, { location: `${collection}/${streamId}`, ...describeProgress(progress, uploads) });
    },
  });
}

function describeOperation(uploads: TusUploads): Operation {
  return tusOperation({
    method: "head",
    route: upload,
    tag,
    access: { action: "upload", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: "How far an upload is.",
    segments,
    parameters: {},
    answers: {
      200: {
        description: "The headers say it.",
        headers: {
          "Upload-Offset": "Bytes that the server has, also after a crash.",
          "Upload-Length": "Bytes of the whole stream, if they are known.",
          "Upload-Defer-Length": "1 if they are not.",
          "Upload-Metadata": "What the client that created the stream said about it.",
        },
      },
    },
    errors: ["STREAM_UNKNOWN", ...bodyErrors],
    async handle(asked) {
      const { size, finishedAt, metadata } = await uploads.describe(asked.path["id"]!, asked);
      const length = finishedAt === undefined ? metadata.declaredSize : size;
      const values = encodeMetadata(metadataValues(metadata));
      return empty(200, {
        "cache-control": "no-store",
        "upload-offset": String(size),
        ...(length === undefined ? { "upload-defer-length": "1" } : { "upload-length": String(length) }),
        ...(values === "" ? {} : { "upload-metadata": values }),
      });
    },
  });
}

function appendOperation(uploads: TusUploads, checked: CheckedBodies): Operation {
  return tusOperation({
    method: "patch",
    route: upload,
    tag,
    access: { action: "upload", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: "Appends audio to an upload, which ends with the last byte of its length.",
    segments,
    parameters: {},
    headers: {
      "Upload-Offset": "Where the audio begins: the offset of the upload.",
      ...lengthHeader,
      ...checksumHeader,
    },
    body: { description: "The audio.", content: [offsetOctetStream] },
    streamsBody: true,
    answers: { 204: { description: "The audio is durable.", headers: progressHeaders } },
    errors: ["STREAM_UNKNOWN", "MEDIA_TYPE_REFUSED", "OFFSET_WRONG", "STREAM_FINISHED", ...bodyErrors],
    async handle(asked) {
      const { headers } = asked.request;
      if (!isChunk(headers)) throw new WavecacheError("MEDIA_TYPE_REFUSED");
      const offset = decodeBytes("Upload-Offset", headers);
      if (offset === undefined) throw new ParameterError("Upload-Offset", "the header is missing");
      const at = { offset, length: decodeBytes("Upload-Length", headers) };
      const progress = await uploads.append(asked.path["id"]!, at, await chunkOf(asked, checked), asked);
      return empty(204, describeProgress(progress, uploads));
    },
  });
}

function removeOperation(uploads: TusUploads): Operation {
  return tusOperation({
    method: "delete",
    route: upload,
    tag,
    access: { action: "remove", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: "Removes an upload, or the stream that it has become.",
    segments,
    parameters: {},
    answers: { 204: { description: "The stream is removed." } },
    errors: ["STREAM_UNKNOWN", "STREAM_UNFINISHED"],
    async handle(asked) {
      await uploads.remove(asked.path["id"]!);
      return empty(204, {});
    },
  });
}

/** The length of a new upload; undefined if it is deferred. */
function newLength(headers: Headers): number | undefined {
  const length = decodeBytes("Upload-Length", headers);
  const deferred = headers.get("upload-defer-length");
  if (deferred !== null && deferred !== "1") throw new ParameterError("Upload-Defer-Length", "expected 1");
  if ((length === undefined) === (deferred === null)) {
    throw new ParameterError("Upload-Length", "expected either this header or Upload-Defer-Length");
  }
  return length;
}

function isChunk(headers: Headers): boolean {
  return headers.get("content-type")?.toLowerCase() === offsetOctetStream;
}

/** Rejects with CHECKSUM_WRONG before the upload is touched. */
async function chunkOf({ request, connection }: ApiRequest<unknown>, checked: CheckedBodies): Promise<Chunk> {
  const checksum = decodeChecksum(request.headers);
  if (checksum === undefined) {
    const length = request.headers.get("content-length");
    return { pieces: bodyPieces(request.body), bytes: length === null ? undefined : Number(length) };
  }
  connection.keepOpen();
  try {
    const audio = await checked.read(request, checksum);
    return { pieces: onePiece(audio), bytes: audio.length };
  } finally {
    connection.setIdleSeconds(httpIdleSeconds);
  }
}

function onePiece(audio: Uint8Array): Chunk["pieces"] {
  const left = [audio];
  return { next: async () => left.pop(), cancel: () => void left.pop() };
}

function describeProgress(
  { offset, isFinished }: Progress,
  { expiresAt }: TusUploads,
): Record<string, string> {
  const headers = { "upload-offset": String(offset) };
  return isFinished ? headers : { ...headers, "upload-expires": formatHttpDate(expiresAt) };
}

function empty(status: number, headers: Record<string, string>): Response {
  return new Response(null, { status, headers });
}
