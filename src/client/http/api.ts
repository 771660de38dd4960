/** Requests to the server's HTTP API, which has the host and port of its WebSocket and answers in JSON. */
import * as v from "valibot";
import { ClientError, type ClientErrorCode } from "../errors.ts";
import { answerTimeoutMs } from "../limits.ts";
import { shownUrl } from "../transport/credential.ts";
import type { Fetch } from "../transport/platform.ts";
import { trustError } from "../transport/trust.ts";

const errorSchema = v.object({
  error: v.object({ code: v.string(), message: v.string(), hint: v.optional(v.nullable(v.string())) }),
});

export interface ApiOptions {
  /** The server's WebSocket address, such as `ws://host:port/audio`. */
  url: string;
  signal?: AbortSignal;
  /** For the whole request; 30 s by default. */
  timeoutMs?: number;
  /** The platform's own by default. */
  fetch?: Fetch;
}

export interface ApiResponse {
  status: number;
  /** The body as JSON; undefined if it is not JSON. */
  body: unknown;
}

/** Sends one request, with `json` as its body if it is given. Throws BAD_URL, UNREACHABLE, ANSWER_TIMEOUT, an error of TLS, or the reason of the signal. */
export async function request(
  options: ApiOptions,
  method: string,
  path: string,
  json?: unknown,
): Promise<ApiResponse> {
  const { status, text } = await requestText(options, method, path, json);
  return { status, body: jsonOf(text) };
}

/** As `request`, with the body as it is. */
export async function requestText(
  options: ApiOptions,
  method: string,
  path: string,
  json?: unknown,
): Promise<{ status: number; text: string }> {
  const target = new URL(path, httpOrigin(options.url));
  const timeout = AbortSignal.timeout(options.timeoutMs ?? answerTimeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]);
  try {
    const response = await (options.fetch ?? fetch)(target, {
      method,
      signal,
      redirect: "manual",
      ...(json === undefined ? {} : { body: JSON.stringify(json), headers: { "content-type": jsonType } }),
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (timeout.aborted) throw new ClientError("ANSWER_TIMEOUT", `${method} ${target}`);
    throw unreachable(target, error);
  }
}

const jsonType = "application/json";

/** The error of a request that got no response. */
export function unreachable({ origin, host }: URL, error: unknown): ClientError {
  return trustError(error, host) ?? new ClientError("UNREACHABLE", `${origin} (${causeOf(error)})`);
}

/** The message of a failed `fetch`, without its advice to programmers. */
export function causeOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\.? For more information.*$/s, "");
}

/** Turns `ws://host:port/path` into `http://host:port`, and `wss:` into `https:`; accepts HTTP addresses too. */
export function httpOrigin(url: string): string {
  const scheme = /^(?:ws|http)(s?):\/\/[^/]/i.exec(url);
  if (scheme === null || !URL.canParse(url)) throw new ClientError("BAD_URL", shownUrl(url));
  return `http${scheme[1]?.toLowerCase() ?? ""}://${new URL(url).host}`;
}

/**
 * Throws unless the status is 2xx: BUSY or REFUSED with the server's message and hint, or `missing` if the body is not
 * an error of this API, because the server does not have this part of it.
 */
export function throwUnlessOk({ status, body }: ApiResponse, missing: ClientErrorCode): void {
  if (status >= 200 && status < 300) return;
  if (!v.is(errorSchema, body)) throw new ClientError(missing, `HTTP status ${status}`);
  const again = status >= 500 && status !== 507;
  const { code, message, hint } = body.error;
  throw new ClientError(again ? "BUSY" : "REFUSED", message, hint ?? undefined, { serverCode: code });
}

/** Parses JSON; undefined if the text is not JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Validates the body; throws `missing` if it does not fit the schema. */
export function parsed<T extends v.GenericSchema>(
  schema: T,
  body: unknown,
  missing: ClientErrorCode,
): v.InferOutput<T> {
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  throw new ClientError(missing, "its answer has another format");
}

/**
 * Whether this is a 404 of the API; with `code`, only one with this code. A server without the API answers 404 too, but
 * without its JSON error.
 */
export function isUnknown({ status, body }: ApiResponse, code?: string): boolean {
  if (status !== 404 || !v.is(errorSchema, body)) return false;
  return code === undefined || body.error.code === code;
}
