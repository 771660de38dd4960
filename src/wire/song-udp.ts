/**
 * Songs over plain UDP, the old protocol. A request is one datagram with a name (`song-name.ts`). The answer is the file
 * in datagrams of 1024 bytes; a shorter datagram ends it. An empty or missing file, and one whose size is a multiple of
 * 1024, therefore ends with an empty datagram. The server retransmits nothing.
 */

/** Bytes of every datagram of an answer except the last, which is shorter. */
export const songDatagramBytes = 1024;
