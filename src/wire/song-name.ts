/**
 * The request of the song protocols: the name of a song, in UTF-8, in one write of up to 1024 bytes. Behind it clients
 * send nothing, a line ending, or the zeros of the buffer that holds it.
 */
import { maxSongNameBytes } from "../base/limits/library.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a request; undefined if the name is empty or too long. */
export function encodeSongName(name: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = encoder.encode(name);
  return bytes.length === 0 || bytes.length > maxSongNameBytes ? undefined : bytes;
}

/** The name in a request; undefined if it is empty, too long or not UTF-8. */
export function decodeSongName(request: Uint8Array): string | undefined {
  if (request.length > maxSongNameBytes) return undefined;
  let end = request.length;
  while (request[end - 1] === 0) end -= 1;
  if (request[end - 1] === 0x0a) end -= request[end - 2] === 0x0d ? 2 : 1;
  if (end === 0) return undefined;
  try {
    return decoder.decode(request.subarray(0, end));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
