/** Checks before an upload ends: the bytes that were sent are still the bytes of the source. */
import type { AudioSource } from "./audio-source.ts";
import type { StreamDigests } from "./digests.ts";
import { ClientError } from "./errors.ts";
import { streamBlockBytes } from "./limits.ts";

/**
 * Throws SOURCE_CHANGED if a source has other bytes than those in `sent`. Otherwise an upload of a file that is written
 * to meanwhile would mix old and new audio. Reads the source again only if something has touched it.
 */
export async function refuseChangedSource(
  source: AudioSource,
  sent: StreamDigests,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { sha256 } = sent.values();
  if (sha256 === undefined || (await source.isTouched?.()) !== true) return;
  const now = sent.another(["sha256"]);
  while (now.positionBytes < sent.positionBytes) {
    signal?.throwIfAborted();
    const offset = now.positionBytes;
    const bytes = await source.read(offset, Math.min(streamBlockBytes, sent.positionBytes - offset));
    if (bytes.length === 0) break;
    now.update(offset, bytes);
  }
  if (now.values().sha256 !== sha256) throw new ClientError("SOURCE_CHANGED");
}
