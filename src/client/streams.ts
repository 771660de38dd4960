/** The list of streams, over HTTP at the same host and port as the WebSocket. */
import * as v from "valibot";
import { ClientError } from "./errors.ts";
import { answerTimeoutMs } from "./limits.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const streamSchema = v.object({
  streamId: v.string(),
  state: v.picklist(["finished", "unfinished"]),
  /** Bytes. */
  size: count,
  /** Lower-case hex; null while unfinished. */
  sha256: v.nullable(v.string()),
  /** What the bytes look like ("mp3"); null if unknown. */
  format: v.nullable(v.string()),
  /** ISO 8601. */
  createdAt: v.string(),
  finishedAt: v.nullable(v.string()),
});

const pageSchema = v.object({ streams: v.array(streamSchema), next: v.nullable(v.string()) });

const errorSchema = v.object({
  error: v.object({ code: v.string(), message: v.string(), hint: v.optional(v.nullable(v.string())) }),
});

export type StreamInfo = v.InferOutput<typeof streamSchema>;
export type StreamState = StreamInfo["state"];
export type StreamPage = v.InferOutput<typeof pageSchema>;

export interface ApiOptions {
  /** The server's WebSocket address (`ws://host:port/audio`); the API is at the same host and port. */
  url: string;
  signal?: AbortSignal;
  timeoutMs?: number;
}

export interface ListOptions extends ApiOptions {
  state?: StreamState;
  /** Streams in this page. */
  limit?: number;
  /** The `next` of the page before. */
  after?: string;
}

/** One page of streams. */
export async function listStreams(options: ListOptions): Promise<StreamPage> {
  const query = new URLSearchParams();
  if (options.state !== undefined) query.set("state", options.state);
  if (options.limit !== undefined) query.set("limit", String(options.limit));
  if (options.after !== undefined) query.set("after", options.after);
  const answer = await request(options, "GET", `/api/streams?${query}`);
  throwUnlessOk(answer);
  return parsed(pageSchema, answer.body);
}

/** What the server knows of a stream; undefined if there is no such stream. */
export async function getStream(streamId: string, options: ApiOptions): Promise<StreamInfo | undefined> {
  const answer = await request(options, "GET", pathOf(streamId));
  if (isUnknownStream(answer)) return undefined;
  throwUnlessOk(answer);
  return parsed(streamSchema, answer.body);
}

/** Removes a stream; false if there is no such stream. */
export async function removeStream(streamId: string, options: ApiOptions): Promise<boolean> {
  const answer = await request(options, "DELETE", pathOf(streamId));
  if (isUnknownStream(answer)) return false;
  throwUnlessOk(answer);
  return true;
}

interface Answer {
  status: number;
  /** The body's JSON; undefined if it is none. */
  body: unknown;
}

function pathOf(streamId: string): string {
  // A URL would swallow these two, whichever way they are spelled.
  if (streamId === "" || streamId === "." || streamId === "..") {
    throw new ClientError("BAD_ARGUMENT", `stream id "${streamId}"`, "list the streams to see their ids");
  }
  return `/api/streams/${encodeURIComponent(streamId)}`;
}

async function request(options: ApiOptions, method: string, path: string): Promise<Answer> {
  const target = new URL(path, httpOrigin(options.url));
  const timeout = AbortSignal.timeout(options.timeoutMs ?? answerTimeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  try {
    const response = await fetch(target, { method, signal, redirect: "manual" });
    return { status: response.status, body: jsonOf(await response.text()) };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (timeout.aborted) throw new ClientError("ANSWER_TIMEOUT", `${method} ${target}`);
    const cause = error instanceof Error ? error.message : String(error);
    throw new ClientError("UNREACHABLE", `${target.origin} (${cause})`);
  }
}

/** `http://host:port` of `ws://host:port/path`. */
export function httpOrigin(url: string): string {
  const scheme = /^ws(s?):\/\/[^/]/i.exec(url);
  if (scheme === null || !URL.canParse(url)) throw new ClientError("BAD_URL", url);
  return `http${scheme[1]?.toLowerCase() ?? ""}://${new URL(url).host}`;
}

/** 404 of the API itself; a server that has no API answers 404 too, but not like this. */
function isUnknownStream(answer: Answer): boolean {
  return answer.status === 404 && v.is(errorSchema, answer.body);
}

function throwUnlessOk({ status, body }: Answer): void {
  if (status >= 200 && status < 300) return;
  if (!v.is(errorSchema, body)) throw new ClientError("NO_HTTP_API", `HTTP status ${status}`);
  const again = status >= 500 && status !== 507;
  throw new ClientError(again ? "BUSY" : "REFUSED", body.error.message, body.error.hint ?? undefined);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parsed<T extends v.GenericSchema>(schema: T, body: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  throw new ClientError("NO_HTTP_API", "it answers something else");
}
