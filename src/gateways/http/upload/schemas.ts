/** Parts of the descriptions of uploads that several operations share. */
import * as v from "valibot";
import type { ErrorCode } from "../../../base/errors.ts";
import { countSchema, sha256Schema } from "../schemas.ts";

export const storedSchema = v.strictObject({ streamId: v.string(), size: countSchema, sha256: sha256Schema });

export const storedHeaders = {
  location: "The address of the stream.",
  etag: "The validator of its audio.",
  "repr-digest": "The SHA-256 of its audio (RFC 9530).",
};

export const uploadRequestHeaders = {
  "content-type": "The type of the audio, unless its first bytes show another.",
  "content-disposition": "The name of the file, as `filename` or `filename*` (RFC 6266).",
  "content-digest": "`sha-256=:BASE64:` of the body (RFC 9530); other audio is refused.",
  "repr-digest": "The same, as the body is all of the audio.",
};

export const uploadErrors: readonly ErrorCode[] = [
  "BODY_MISSING",
  "BODY_STALLED",
  "STREAM_UNFINISHED",
  "STREAM_TAKEN_OVER",
  "STREAM_TOO_LARGE",
  "STREAMS_EXHAUSTED",
  "DESCRIPTORS_EXHAUSTED",
  "DIGEST_WRONG",
  "CACHE_FULL",
  "DISK_FULL",
  "STORE_UNWRITABLE",
  "STORE_FAILED",
  "STORE_LOST",
  "WORKER_LOST",
  "SHUTTING_DOWN",
];
