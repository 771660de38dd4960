/**
 * Songs over plain UDP, the old protocol. A request is one datagram with a name (`song-name.ts`). The answer is the file
 * in datagrams of 1024 bytes; a shorter datagram ends it. An empty or missing file, and one whose size is a multiple of
 * 1024, therefore ends with an empty datagram. The server retransmits nothing.
 */

/** Bytes of every datagram of an answer except the last, which is shorter. */
export const songDatagramBytes = 1024;

/**
 * The datagrams of a part of a song, as views. If `isLast`, the last one is shorter than 1024 bytes, or empty. Otherwise
 * the part must be a multiple of 1024 bytes.
 */
export function songDatagrams(part: Uint8Array, isLast: boolean): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  const end = isLast ? part.length + 1 : part.length;
  for (let at = 0; at < end; at += songDatagramBytes)
    datagrams.push(part.subarray(at, at + songDatagramBytes));
  return datagrams;
}
