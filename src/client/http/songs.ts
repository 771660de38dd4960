/** The list of songs, over the HTTP API. */
import * as v from "valibot";
import { type ApiOptions, parsed, request, throwUnlessOk } from "./api.ts";

const missing = "NO_SONGS";

const songSchema = v.object({
  name: v.string(),
  /** Bytes. */
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
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
