/** Requests to the HTTP API. Every failure is an `ApiError`, with what to do about it. */
import { addressOf } from "../app/address.ts";
import { connection, reportLost } from "../app/connection.ts";

/** An answer with an error of the server's table, or none at all: then the code is `LOST`. */
export class ApiError extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, hint = "") {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

export interface RequestOptions {
  method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  json?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  /** The request is sent though the page closes. */
  keepalive?: boolean;
}

type Query = Readonly<Record<string, string | number | undefined>>;

/** Hears of answers that the caller may not have without signing in. */
export const refusals = new EventTarget();

/** The JSON of an answer. Throws `ApiError`, or the reason of the signal. */
export async function requestJson<T>(path: string, options?: RequestOptions): Promise<T> {
  const answer = await request(path, options);
  return (await answer.json()) as T;
}

/** An answer whose status says success. Throws `ApiError`, or the reason of the signal. */
export async function request(path: string, options: RequestOptions = {}): Promise<Response> {
  const { method = "GET", json, headers = {}, signal, keepalive = false } = options;
  const body = json === undefined ? undefined : JSON.stringify(json);
  const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  let answer: Response;
  try {
    answer = await fetch(addressOf(path), {
      method,
      headers: { ...type, ...headers },
      body: body ?? null,
      signal: signal ?? null,
      keepalive,
    });
  } catch (error) {
    signal?.throwIfAborted();
    reportLost("lost");
    throw new ApiError("LOST", "the server does not answer", String(error));
  }
  if (answer.ok) {
    if (connection.value === "lost") connection.value = "connected";
    return answer;
  }
  throw await errorOf(answer);
}

/** `path?a=1&b=2`, without the parameters that are undefined or empty. */
export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? path : `${path}?${text}`;
}

/** The error of an answer whose status is none of success. */
export async function errorOf(answer: Response): Promise<ApiError> {
  const { code, message, hint } = await errorBody(answer);
  if (code === "STARTING") reportLost("starting");
  if (code === "UNAUTHENTICATED") refusals.dispatchEvent(new Event("unauthenticated"));
  return new ApiError(code, message, hint);
}

interface ErrorBody {
  code: string;
  message: string;
  hint?: string;
}

async function errorBody(answer: Response): Promise<ErrorBody> {
  const unknown = { code: `HTTP_${answer.status}`, message: `the server answered ${answer.status}` };
  try {
    return ((await answer.json()) as { error?: ErrorBody }).error ?? unknown;
  } catch {
    // A proxy answers in a format of its own.
    return unknown;
  }
}
