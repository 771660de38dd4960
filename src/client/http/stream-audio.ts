/** The audio of a stream, over the HTTP API. */
import { ClientError } from "../errors.ts";
import { type ApiOptions, httpOrigin, isUnknown, jsonOf, throwUnlessOk, unreachable } from "./api.ts";

/**
 * Yields the audio from its beginning to its end. Throws UNREACHABLE, BUSY, REFUSED, CONNECTION_LOST, NO_HTTP_API, or the
 * reason of the signal. Undefined if the stream does not exist.
 */
export async function streamAudio(
  streamId: string,
  options: ApiOptions,
): Promise<AsyncGenerator<Uint8Array> | undefined> {
  const target = new URL(`/api/streams/${encodeURIComponent(streamId)}/audio`, httpOrigin(options.url));
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
