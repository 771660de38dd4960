/**
 * `PUT /api/library/{name}` and `DELETE /api/library/{name}`: songs of the library. A song is replaced only by a request
 * that says so: with If-Match and the ETag of the song it means, or `*` for whatever is there.
 */
import * as v from "valibot";
import { resourceOf } from "../../../access/actions.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { endBody } from "../../../listen/end-body.ts";
import type { SongUpload, StoredSong } from "../../../engine/songs/song-uploads.ts";
import type { Precondition } from "../../../store/library/library-writer.ts";
import { ifMatch } from "../audio/conditions.ts";
import { songTag } from "../audio/library.ts";
import { type ApiRequest, json, type Operation, operation } from "../operation.ts";
import { countSchema, sha256Schema } from "../schemas.ts";
import { declaredSha256, reprDigest } from "./digests.ts";
import { wholeBodySize } from "./request.ts";
import { receiveBody } from "./song-body.ts";

/** What the operations need of the engine. */
export interface ChangingSongs {
  begin(name: string, size: number | undefined, condition: Precondition): Promise<SongUpload>;
  remove(name: string, condition: Precondition): Promise<void>;
}

export interface DigestedSongs {
  /** The SHA-256 of a song in hex. Rejects with SONG_UNKNOWN. */
  digestOf(name: string): Promise<string>;
  openFile(name: string): Promise<{ file: { size: number; key: string; close(): Promise<void> } }>;
}

const storedSchema = v.strictObject({ name: v.string(), size: countSchema, sha256: sha256Schema });
const answer = {
  schema: storedSchema,
  headers: {
    location: "The address of its audio.",
    etag: "The validator of its audio.",
    "repr-digest": "The SHA-256 of its audio (RFC 9530).",
  },
};
const segments = { name: "The name of the song, with %2F for its slashes." };

export function songFileOperations(uploads: ChangingSongs, songs: DigestedSongs): Operation[] {
  return [putSongOperation(uploads, songs), removeSongOperation(uploads)];
}

function putSongOperation(uploads: ChangingSongs, songs: DigestedSongs): Operation {
  return operation({
    method: "put",
    route: "/api/library/:name{.+}",
    tag: "library",
    access: { action: "upload", on: "library/:name" },
    summary: "Uploads a song into the library.",
    segments,
    parameters: {},
    headers: {
      "content-digest": "`sha-256=:BASE64:` of the body (RFC 9530); other audio is refused.",
      "repr-digest": "The same, as the body is all of the audio.",
      "if-match": "The ETag of the song to replace, or `*` for any.",
      "if-none-match": "`*` refuses a name that a song has with 412, also one with the same audio.",
    },
    body: { description: "The audio, of any length, also chunked.", content: ["*/*"] },
    streamsBody: true,
    answers: {
      200: {
        description: "The song is replaced, or had this audio already, as the digest shows.",
        ...answer,
      },
      201: { description: "The song is durable.", ...answer },
    },
    errors: [
      ...(["BAD_SONG_NAME", "SONG_EXISTS", "SONG_TOO_LARGE", "LIBRARY_FULL", "LIBRARY_UNUSABLE"] as const),
      ...([
        "PRECONDITION_FAILED",
        "BODY_MISSING",
        "BODY_STALLED",
        "STREAM_UNFINISHED",
        "DIGEST_WRONG",
      ] as const),
      ...(["TRANSFERS_EXHAUSTED", "DISK_FULL", "STORE_UNWRITABLE", "STORE_FAILED"] as const),
      "DESCRIPTORS_EXHAUSTED",
    ],
    handle: (asked) => put(uploads, songs, asked),
  });
}

function removeSongOperation(uploads: ChangingSongs): Operation {
  return operation({
    method: "delete",
    route: "/api/library/:name{.+}",
    tag: "library",
    access: { action: "remove", on: "library/:name", unknown: "SONG_UNKNOWN" },
    summary: "Removes a song of the library.",
    segments,
    parameters: {},
    headers: { "if-match": "The ETag of the song: another one is not removed." },
    answers: { 204: { description: "The song is removed." } },
    errors: ["SONG_UNKNOWN", "BAD_SONG_NAME", "PRECONDITION_FAILED", "STORE_UNWRITABLE", "STORE_FAILED"],
    async handle({ path, principal, request }) {
      const name = path["name"]!;
      const match = request.headers.get("if-match");
      await uploads.remove(name, (current) => {
        if (match !== null) requireMatch(match, current);
      });
      principal.did("remove", resourceOf("library", name));
      return new Response(null, { status: 204 });
    },
  });
}

async function put(
  uploads: ChangingSongs,
  songs: DigestedSongs,
  asked: ApiRequest<Record<never, never>>,
): Promise<Response> {
  const { request, path, principal } = asked;
  const name = path["name"]!;
  const size = wholeBodySize(request);
  const sha256 = declaredSha256(request.headers);
  let upload: SongUpload;
  try {
    upload = await uploads.begin(name, size, preconditionOf(request.headers));
  } catch (error) {
    const isTaken = error instanceof WavecacheError && error.code === "SONG_EXISTS";
    // The client missed the answer to the same request before.
    const same = isTaken && sha256 !== undefined ? await withAudio(songs, name, sha256) : undefined;
    if (same !== undefined) return endBody(stored(name, same, asked), request);
    throw error;
  }
  const counted = Promise.withResolvers<void>();
  try {
    principal.usage.openUpload(crypto.randomUUID(), () => ({ over: counted.promise }));
    await receiveBody(asked, upload);
    const song = await upload.finish(sha256);
    principal.did("upload", resourceOf("library", name));
    return stored(name, song, asked);
  } finally {
    counted.resolve();
    await upload.discard();
  }
}

/** Throws SONG_EXISTS or PRECONDITION_FAILED. */
function preconditionOf(headers: Headers): Precondition {
  const match = headers.get("if-match");
  if (match !== null) return (current) => requireMatch(match, current);
  const mustBeNew = headers.get("if-none-match")?.trim() === "*";
  return (current) => {
    if (current !== undefined) throw new WavecacheError(mustBeNew ? "PRECONDITION_FAILED" : "SONG_EXISTS");
  };
}

function requireMatch(match: string, current: { key: string } | undefined): void {
  if (current === undefined || !ifMatch(match, songTag(current.key)))
    throw new WavecacheError("PRECONDITION_FAILED");
}

/** The song, if this is its digest. */
async function withAudio(
  songs: DigestedSongs,
  name: string,
  sha256: string,
): Promise<StoredSong | undefined> {
  if ((await songs.digestOf(name)) !== sha256) return undefined;
  const { file } = await songs.openFile(name);
  await file.close();
  return { key: file.key, size: file.size, sha256, isNew: false };
}

function stored(
  name: string,
  { key, size, sha256, isNew }: StoredSong,
  { meter }: Pick<ApiRequest, "meter">,
): Response {
  const answered = json({ name, size, sha256 }, meter, isNew ? 201 : 200);
  answered.headers.set("location", `/api/library/${encodeURIComponent(name)}/audio`);
  answered.headers.set("etag", songTag(key));
  answered.headers.set("repr-digest", reprDigest(sha256));
  return answered;
}
