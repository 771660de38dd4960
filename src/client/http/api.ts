/** The server's HTTP interface, at the same host and port as the WebSocket: one request, one answer in JSON. */
import * as v from "valibot";
import { ClientError, type ClientErrorCode } from "../errors.ts";
import { answerTimeoutMs } from "../limits.ts";
import type { Fetch } from "../transport/platform.ts";
import { trustError } from "../transport/trust.ts";

const errorSchema = v.object({
  error: v.object({ code: v.string(), message: v.string(), hint: v.optional(v.nullable(v.string())) }),
});

export interface ApiOptions {
  /** The server's WebSocket address (`ws://host:port/audio`); the API is at the same host and port. */
  url: string;
  signal?: AbortSignal;
  timeoutMs?: number;
  /** The platform's own by default. */
  fetch?: Fetch;
}

export interface ApiResponse {
  status: number;
  /** The body's JSON; undefined if it is none. */
  body: unknown;
}

export async function request(options: ApiOptions, method: string, path: string): Promise<ApiResponse> {
  const target = new URL(path, httpOrigin(options.url));
  const timeout = AbortSignal.timeout(options.timeoutMs ?? answerTimeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  try {
    const response = await (options.fetch ?? fetch)(target, { method, signal, redirect: "manual" });
    return { status: response.status, body: jsonOf(await response.text()) };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (timeout.aborted) throw new ClientError("ANSWER_TIMEOUT", `${method} ${target}`);
    throw unreachable(target, error);
  }
}

/** Why no request could be made. */
export function unreachable({ origin, host }: URL, error: unknown): ClientError {
  return trustError(error, host) ?? new ClientError("UNREACHABLE", `${origin} (${causeOf(error)})`);
}

/** What a failed `fetch` says, without advice for whoever called it. */
export function causeOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\.? For more information.*$/s, "");
}

/** `http://host:port` of `ws://host:port/path`; an HTTP address counts as its own. */
export function httpOrigin(url: string): string {
  const scheme = /^(?:ws|http)(s?):\/\/[^/]/i.exec(url);
  if (scheme === null || !URL.canParse(url)) throw new ClientError("BAD_URL", url);
  return `http${scheme[1]?.toLowerCase() ?? ""}://${new URL(url).host}`;
}

/**
 * Throws the error that the server says in its JSON, or the error `missing` where something else answers: a server that
 * does not have this part of the interface.
 */
export function throwUnlessOk({ status, body }: ApiResponse, missing: ClientErrorCode): void {
  if (status >= 200 && status < 300) return;
  if (!v.is(errorSchema, body)) throw new ClientError(missing, `HTTP status ${status}`);
  const again = status >= 500 && status !== 507;
  throw new ClientError(again ? "BUSY" : "REFUSED", body.error.message, body.error.hint ?? undefined);
}

/** The JSON value of a text; undefined if it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The body as the schema has it; throws `missing` for anything else. */
export function parsed<T extends v.GenericSchema>(
  schema: T,
  body: unknown,
  missing: ClientErrorCode,
): v.InferOutput<T> {
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  throw new ClientError(missing, "it answers something else");
}

/** 404 of the API itself; a server that has no API answers 404 too, but not like this. */
export function isUnknown(answer: ApiResponse): boolean {
  return answer.status === 404 && v.is(errorSchema, answer.body);
}
