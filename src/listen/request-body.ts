/** Short request bodies, whole and in memory. */
import { WavecacheError } from "../base/errors.ts";
import { defaultMaxMessageBytes, messageTimeoutMs } from "../base/limits/connections.ts";

export interface BodyLimits {
  maxBytes?: number;
  timeoutMs?: number;
}

/** Reads a body. Rejects with MESSAGE_TOO_LARGE, and with MESSAGE_UNFINISHED if its end does not come in time. */
export async function readBody(
  { body, headers }: Pick<Request, "body" | "headers">,
  { maxBytes = defaultMaxMessageBytes, timeoutMs = messageTimeoutMs }: BodyLimits = {},
): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(headers.get("content-length")) > maxBytes) throw new WavecacheError("MESSAGE_TOO_LARGE");
  if (body === null) return new Uint8Array(0);
  const reader = body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    // Ends the pending read. A failure to cancel leaves the connection to its idle timeout.
    reader.cancel().catch(() => undefined);
  }, timeoutMs);
  try {
    const bytes = await readAll(reader, maxBytes);
    if (isLate) throw new WavecacheError("MESSAGE_UNFINISHED");
    return bytes;
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(
  reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { value } = await reader.read();
    if (value === undefined) return new Uint8Array(Buffer.concat(pieces));
    bytes += value.length;
    if (bytes > maxBytes) {
      await reader.cancel();
      throw new WavecacheError("MESSAGE_TOO_LARGE");
    }
    pieces.push(value);
  }
}
