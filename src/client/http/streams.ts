/** The list of streams, over the HTTP API. */
import * as v from "valibot";
import { type ApiOptions, isUnknown, parsed, request, throwUnlessOk } from "./api.ts";
import { ClientError } from "../errors.ts";

const missing = "NO_HTTP_API";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const streamSchema = v.object({
  streamId: v.string(),
  state: v.picklist(["finished", "unfinished"]),
  /** Bytes. */
  size: count,
  /** Lower-case hex; null while unfinished. */
  sha256: v.nullable(v.string()),
  /** The format detected from the bytes, such as "mp3"; null if unknown. */
  format: v.nullable(v.string()),
  /** These are missing from answers of older servers. The name is that of the file, without folders. */
  title: v.optional(v.nullable(v.string())),
  name: v.optional(v.nullable(v.string())),
  damaged: v.optional(v.boolean()),
  /** What the audio says of itself: null until the server has read it. */
  audio: v.optional(
    v.nullable(
      v.object({
        container: v.nullable(v.string()),
        codec: v.nullable(v.string()),
        /** Seconds. */
        duration: v.nullable(v.number()),
        sampleRate: v.nullable(v.number()),
        channels: v.nullable(v.number()),
        /** Bits a second. */
        bitRate: v.nullable(v.number()),
      }),
    ),
  ),
  metadata: v.optional(
    v.object({ contentType: v.nullable(v.string()), tags: v.record(v.string(), v.string()) }),
  ),
  /** ISO 8601. */
  createdAt: v.string(),
  finishedAt: v.nullable(v.string()),
});

const pageSchema = v.object({
  streams: v.array(streamSchema),
  next: v.nullable(v.string()),
  /** On all pages together; null for a token that may list only some streams, and older servers do not tell. */
  total: v.nullish(count),
});

export const streamOrders = [
  ...(["id", "created", "title", "size", "duration"] as const),
  ...(["-id", "-created", "-title", "-size", "-duration"] as const),
] as const;
export type StreamOrder = (typeof streamOrders)[number];

/** What a list is narrowed to, and its order. */
export interface StreamFilter {
  /** Words of id, title, name and tags; the last one may be the beginning of a word. */
  text?: string;
  /** Values by tag. */
  tags?: Readonly<Record<string, string>>;
  /** MIME type. */
  type?: string;
  /** Created then or later, and before. */
  from?: Date;
  to?: Date;
  /** With a minus it descends; by default it is that of the ids. */
  sort?: StreamOrder;
}

export type ListedStream = v.InferOutput<typeof streamSchema>;
export type StreamState = ListedStream["state"];
export type ListedStreamPage = v.InferOutput<typeof pageSchema>;

export interface StreamListOptions extends ApiOptions, StreamFilter {
  state?: StreamState;
  /** Streams in this page; the server may return fewer. */
  limit?: number;
  /** The `next` of the previous page. */
  after?: string;
}

/** Lists one page of streams. Throws NO_HTTP_API if the server has no such list. */
export async function listStreams(options: StreamListOptions): Promise<ListedStreamPage> {
  const query = filterQuery(options);
  if (options.state !== undefined) query.set("state", options.state);
  if (options.limit !== undefined) query.set("limit", String(options.limit));
  if (options.after !== undefined) query.set("after", options.after);
  const answer = await request(options, "GET", `/api/streams?${query}`);
  throwUnlessOk(answer, missing);
  return parsed(pageSchema, answer.body, missing);
}

function filterQuery({ text, tags = {}, type, from, to, sort }: StreamFilter): URLSearchParams {
  const query = new URLSearchParams();
  if (text !== undefined) query.set("q", text);
  for (const [key, value] of Object.entries(tags)) query.set(`tag.${key}`, value);
  if (type !== undefined) query.set("type", type);
  if (from !== undefined) query.set("from", from.toISOString());
  if (to !== undefined) query.set("to", to.toISOString());
  if (sort !== undefined) query.set("sort", sort);
  return query;
}

/** What a change leaves out stays as it is; null removes. */
export interface StreamChange {
  title?: string | null;
  tags?: Readonly<Record<string, string | null>>;
}

/** Changes the title and the tags of a stream; undefined if it does not exist. Throws REFUSED for too many tags. */
export async function changeStream(
  streamId: string,
  change: StreamChange,
  options: ApiOptions,
): Promise<ListedStream | undefined> {
  const answer = await request(options, "PATCH", pathOf(streamId), change);
  if (isUnknown(answer)) return undefined;
  throwUnlessOk(answer, missing);
  return parsed(streamSchema, answer.body, missing);
}

/** Describes a stream; undefined if it does not exist. Throws NO_HTTP_API if the server cannot. */
export async function getStream(streamId: string, options: ApiOptions): Promise<ListedStream | undefined> {
  const answer = await request(options, "GET", pathOf(streamId));
  if (isUnknown(answer)) return undefined;
  throwUnlessOk(answer, missing);
  return parsed(streamSchema, answer.body, missing);
}

/** Removes a stream; false if it does not exist. Throws NO_HTTP_API if the server cannot. */
export async function removeStream(streamId: string, options: ApiOptions): Promise<boolean> {
  const answer = await request(options, "DELETE", pathOf(streamId));
  if (isUnknown(answer)) return false;
  throwUnlessOk(answer, missing);
  return true;
}

function pathOf(streamId: string): string {
  // A URL drops path segments of one or two dots, even when they are percent-encoded.
  if (streamId === "" || streamId === "." || streamId === "..") {
    throw new ClientError("BAD_ARGUMENT", `stream id "${streamId}"`, "list the streams to see their ids");
  }
  return `/api/streams/${encodeURIComponent(streamId)}`;
}
