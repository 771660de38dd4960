import type { ByteRate } from "../access/usage.ts";

/** The response, at the rate of whoever asked for it. Without a limit it stays as it is, which may be a file for the kernel to send. */
export function pacedResponse(response: Response, rate: ByteRate): Response {
  // To look at the body alone makes a stream of a file.
  if (!rate.isLimited || response.body === null) return response;
  const { body, status, statusText, headers } = response;
  const paced = body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(chunk, controller) {
        controller.enqueue(chunk);
        await Bun.sleep(rate.take(chunk.length));
      },
    }),
  );
  return new Response(paced, { status, statusText, headers });
}
