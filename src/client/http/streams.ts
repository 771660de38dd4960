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
  /** ISO 8601. */
  createdAt: v.string(),
  finishedAt: v.nullable(v.string()),
});

const pageSchema = v.object({ streams: v.array(streamSchema), next: v.nullable(v.string()) });

export type ListedStream = v.InferOutput<typeof streamSchema>;
export type StreamState = ListedStream["state"];
export type ListedStreamPage = v.InferOutput<typeof pageSchema>;

export interface StreamListOptions extends ApiOptions {
  state?: StreamState;
  /** Streams in this page; the server may return fewer. */
  limit?: number;
  /** The `next` of the previous page. */
  after?: string;
}

/** Lists one page of streams. Throws NO_HTTP_API if the server has no such list. */
export async function listStreams(options: StreamListOptions): Promise<ListedStreamPage> {
  const query = new URLSearchParams();
  if (options.state !== undefined) query.set("state", options.state);
  if (options.limit !== undefined) query.set("limit", String(options.limit));
  if (options.after !== undefined) query.set("after", options.after);
  const answer = await request(options, "GET", `/api/streams?${query}`);
  throwUnlessOk(answer, missing);
  return parsed(pageSchema, answer.body, missing);
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
