/** Audio, over the HTTP API. */
import { ClientError } from "../errors.ts";
import { type ApiOptions, httpOrigin, isUnknown, jsonOf, throwUnlessOk, unreachable } from "./api.ts";

/** Yields the audio of a stream. Undefined if the stream does not exist. Throws what `audioAt` throws. */
export function streamAudio(
  streamId: string,
  options: ApiOptions,
): Promise<AsyncGenerator<Uint8Array> | undefined> {
  return audioAt(`/api/streams/${encodeURIComponent(streamId)}/audio`, options);
}

/**
 * Yields the audio at a path of the API, from its beginning to its end. Throws UNREACHABLE, BUSY, REFUSED, CONNECTION_LOST, NO_HTTP_API, or the
 * reason of the signal. Undefined if there is none.
 */
export async function audioAt(
  path: string,
  options: ApiOptions,
): Promise<AsyncGenerator<Uint8Array> | undefined> {
  const target = new URL(path, httpOrigin(options.url));
  const signal = options.signal ?? new AbortController().signal;
  let response: Response;
  try {
    response = await (options.fetch ?? fetch)(target, { signal, redirect: "manual" });
  } catch (error) {
    options.signal?.throwIfAborted();
    throw unreachable(target, error);
  }
  if (response.ok && response.body !== null) return bytesOf(response.body, options);
  const answer = { status: response.status, body: jsonOf(await response.text()) };
  if (isUnknown(answer)) return undefined;
  throwUnlessOk(answer, "NO_HTTP_API");
  return bytesOf(new Blob([]).stream(), options);
}

async function* bytesOf(
  body: ReadableStream<Uint8Array>,
  { signal }: ApiOptions,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    signal?.throwIfAborted();
    throw new ClientError("CONNECTION_LOST", error instanceof Error ? error.message : String(error));
  }
}
