/** A client of the HTTP API of streams. It checks every answer for its exact shape. */
import * as v from "valibot";

const isoTime = v.pipe(v.string(), v.isoTimestamp());
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const streamSchema = v.strictObject({
  streamId: v.string(),
  state: v.picklist(["finished", "unfinished"]),
  title: v.nullable(v.string()),
  name: v.nullable(v.string()),
  size: count,
  sha256: v.nullable(digest),
  format: v.nullable(v.string()),
  audio: v.nullable(
    v.strictObject({
      container: v.nullable(v.string()),
      codec: v.nullable(v.string()),
      duration: v.nullable(v.number()),
      sampleRate: v.nullable(count),
      channels: v.nullable(count),
      bitRate: v.nullable(v.number()),
    }),
  ),
  damaged: v.boolean(),
  pinned: v.boolean(),
  metadata: v.strictObject({
    contentType: v.nullable(v.string()),
    format: v.nullable(v.strictObject({ codec: v.string(), sampleRate: count, channels: count })),
    tags: v.record(v.string(), v.string()),
  }),
  createdAt: isoTime,
  finishedAt: v.nullable(isoTime),
});
const pageSchema = v.strictObject({
  streams: v.array(streamSchema),
  next: v.nullable(v.string()),
  total: count,
});
const errorSchema = v.strictObject({
  error: v.strictObject({ code: v.string(), message: v.string(), hint: v.string() }),
});

export type StreamInfo = v.InferOutput<typeof streamSchema>;
export type StreamPage = v.InferOutput<typeof pageSchema>;
export type StreamState = StreamInfo["state"];

/** One page of the list for a query. */
export async function listPage(httpBase: string, query = ""): Promise<StreamPage> {
  const response = await fetch(`${httpBase}/api/streams${query}`);
  return v.parse(pageSchema, await jsonOf(response, 200));
}

/** All streams, or all in a state, page by page. */
export async function listStreams(httpBase: string, state?: StreamState): Promise<StreamInfo[]> {
  const streams: StreamInfo[] = [];
  const filter = state === undefined ? "" : `&state=${state}`;
  for (let after: string | null = ""; after !== null;) {
    const from: string = after === "" ? "" : `&after=${encodeURIComponent(after)}`;
    const page: StreamPage = await listPage(httpBase, `?limit=100${filter}${from}`);
    streams.push(...page.streams);
    if (page.next !== null && page.streams.length === 0) throw new Error("an empty page with a next page");
    after = page.next;
  }
  return streams;
}

/** A stream, or undefined if the answer is a well-formed 404. */
export async function streamInfo(httpBase: string, streamId: string): Promise<StreamInfo | undefined> {
  const response = await fetch(`${httpBase}/api/streams/${encodeURIComponent(streamId)}`);
  if (response.status !== 404) return v.parse(streamSchema, await jsonOf(response, 200));
  v.parse(errorSchema, await jsonOf(response, 404));
  return undefined;
}

/** Removes a stream and returns the status. Any status but 204 must come with a well-formed error. */
export async function removeStream(httpBase: string, streamId: string): Promise<number> {
  const path = `/api/streams/${encodeURIComponent(streamId)}`;
  const response = await fetch(httpBase + path, { method: "DELETE" });
  if (response.status !== 204) v.parse(errorSchema, await jsonOf(response, response.status));
  return response.status;
}

async function jsonOf(response: Response, expectedStatus: number): Promise<unknown> {
  const text = await response.text();
  if (response.status !== expectedStatus) {
    throw new Error(`expected status ${expectedStatus}, received ${response.status}: ${text}`);
  }
  const type = response.headers.get("content-type") ?? "";
  if (!type.startsWith("application/json")) throw new Error(`expected JSON, received ${type}: ${text}`);
  return JSON.parse(text);
}
