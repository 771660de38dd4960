/**
 * Songs over plain UDP, the old protocol. A request is one datagram with a name (`song-name.ts`). The answer is the file
 * in datagrams of 1024 bytes; the first that is shorter ends it, so a file that is a multiple of 1024, empty or missing
 * ends with an empty one. Nothing is repeated.
 */

/** Bytes of every datagram of an answer but the last, which has fewer. */
export const songDatagramBytes = 1024;
