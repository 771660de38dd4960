/** The songs of the library, over the HTTP API. */
import * as v from "valibot";
import { ClientError } from "../errors.ts";
import {
  type ApiOptions,
  type ApiResponse,
  httpOrigin,
  isUnknown,
  jsonOf,
  parsed,
  request,
  throwUnlessOk,
  unreachable,
} from "./api.ts";

const missing = "NO_SONGS";

const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const songSchema = v.object({
  name: v.string(),
  /** Bytes. */
  size,
  /** MIME type. */
  type: v.string(),
  /** Seconds; null if unknown. */
  duration: v.nullable(v.pipe(v.number(), v.minValue(0))),
});

const pageSchema = v.object({ songs: v.array(songSchema), next: v.nullable(v.string()) });

export type ListedSong = v.InferOutput<typeof songSchema>;
export type ListedSongPage = v.InferOutput<typeof pageSchema>;

export interface SongListOptions extends ApiOptions {
  /** Songs in this page; the server may return fewer. */
  limit?: number;
  /** The `next` of the previous page. */
  after?: string;
}

/** Lists one page of songs, sorted by name. Throws NO_SONGS if the server has no such list. */
export async function listSongs(options: SongListOptions): Promise<ListedSongPage> {
  const query = new URLSearchParams();
  if (options.limit !== undefined) query.set("limit", String(options.limit));
  if (options.after !== undefined) query.set("after", options.after);
  const answer = await request(options, "GET", `/api/library?${query}`);
  throwUnlessOk(answer, missing);
  return parsed(pageSchema, answer.body, missing);
}

const storedSchema = v.object({ name: v.string(), size, sha256: v.string() });

export type StoredSong = v.InferOutput<typeof storedSchema>;

export interface NewSong {
  /** Its path below the library folder. */
  name: string;
  audio: Blob;
  /** Of the audio, in hex: the server stores no other audio, and accepts the same song again. */
  sha256: string;
  /** Replaces the song that has this name. */
  replace?: boolean;
}

/**
 * Uploads a song into the library; it resolves once the song is durable. There is no limit of time but the signal. Throws
 * REFUSED, with the server code SONG_EXISTS if the name is taken, BUSY, UNREACHABLE, NO_SONGS, or the reason of the signal.
 */
export async function putSong(song: NewSong, options: ApiOptions): Promise<StoredSong> {
  const first = await sendSong(song, song.replace === true ? { "if-match": "*" } : {}, options);
  // A name that no song has cannot be replaced.
  const answer = first.status === 412 && song.replace === true ? await sendSong(song, {}, options) : first;
  throwUnlessOk(answer, missing);
  return parsed(storedSchema, answer.body, missing);
}

/** Removes a song; false if it does not exist. Throws like `putSong`. */
export async function removeSong(name: string, options: ApiOptions): Promise<boolean> {
  const answer = await request(options, "DELETE", pathOf(name));
  if (isUnknown(answer)) return false;
  throwUnlessOk(answer, missing);
  return true;
}

async function sendSong(
  { name, audio, sha256 }: NewSong,
  headers: Record<string, string>,
  options: ApiOptions,
): Promise<ApiResponse> {
  const target = new URL(pathOf(name), httpOrigin(options.url));
  const digest = `sha-256=:${base64OfHex(sha256)}:`;
  try {
    const answer = await (options.fetch ?? fetch)(target, {
      method: "PUT",
      headers: { ...headers, "repr-digest": digest },
      body: audio,
      signal: options.signal ?? new AbortController().signal,
      redirect: "manual",
    });
    return { status: answer.status, body: jsonOf(await answer.text()) };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw unreachable(target, error);
  }
}

function base64OfHex(hex: string): string {
  return btoa(String.fromCharCode(...hex.match(/../g)!.map((byte) => Number.parseInt(byte, 16))));
}

function pathOf(name: string): string {
  // A URL drops path segments of one or two dots, even when they are percent-encoded.
  if (/^\.{0,2}$/.test(name)) throw new ClientError("BAD_ARGUMENT", `song name "${name}"`);
  return `/api/library/${encodeURIComponent(name)}`;
}
