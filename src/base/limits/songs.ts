/** Limits of songs by name, over TLS and UDP. */
import { mustHold } from "./relation.ts";
import { KiB } from "./units.ts";

/** Songs over TLS: connections, in all and per address; one more is closed at once. */
export const maxSongTlsConnections = 512;
export const maxSongTlsConnectionsPerAddress = 64;
/** Bytes of one read of a song; two reads of each transfer are in memory. */
export const songReadBytes = 256 * KiB;
/** Bytes after the name of a song, which are discarded; more closes the connection. */
export const maxSongSurplusBytes = 64 * KiB;
/** A connection without a handshake and the name of a song after this long is closed. */
export const songNameTimeoutMs = 5_000;
/** A peer that reads nothing of its song for this long is disconnected. A player reads only as fast as it plays. */
export const songStallTimeoutMs = 180_000;
/** A connection that its peer leaves open this long after the song is cut. */
export const songLingerMs = 5_000;

/**
 * Rate of one plain transfer over UDP, in megabits a second (`--udp-rate-mbps`). The receive buffer of a plain client
 * holds 90 datagrams, 74 ms at this rate. On loopback 240 Mbit/s arrived without loss while the client ran; at every
 * rate, datagrams were lost only while the client got no processor for longer than its buffer lasts.
 */
export const defaultUdpRateMbps = 10;
/** A reliable transfer may send at this many times that rate: it detects loss and slows down. */
export const reliableRateFactor = 10;
/** Rate of all transfers over UDP together; above this they share it in turns. */
export const maxUdpTotalMbps = 1000;
/** Transfers over UDP at once, per address and in all; one more is refused with TRANSFERS_EXHAUSTED. */
export const maxUdpTransfersPerAddress = 64;
export const maxUdpTransfers = 256;
/**
 * Datagrams that one turn sends to one client. A transfer waits until it may send the smaller number, which saves
 * system calls, and never sends more than the larger one.
 */
export const udpBurstDatagrams = 8;
export const maxUdpBurstDatagrams = 32;
/** Bytes of one read of a song that is sent over UDP; two reads of each transfer are in memory. */
export const udpReadBytes = 64 * KiB;
/**
 * Plain UDP to an address that `--udp-allow` does not name: its requests may be forged, and the answers may hit a victim.
 * It gets this much and this many times the bytes that it sent (RFC 9000, section 8.1), then nothing. What it may still
 * get is never more than the maximum.
 */
export const unvalidatedStartBytes = 1 * KiB;
export const unvalidatedFactor = 3;
export const maxUnvalidatedBytes = 4 * KiB;
/** Such an address is forgotten after this time, and then has a new start. */
export const unvalidatedWindowMs = 60_000;
/** Such addresses at once; further ones get nothing, so all starts together are 70 kB a second. */
export const maxUnvalidatedAddresses = 4096;
/** Songs that are being read for such addresses; further requests are dropped. */
export const maxUnvalidatedSongs = 16;
/** Shortest validity of an address token; a request with an older one gets a new token. */
export const udpTokenMs = 10_000;
/** Reliable UDP: blocks that may be sent ahead of the client's acknowledgement. */
export const reliableWindowBlocks = 4096;
/** Rate at which a transfer starts, and the rate that loss never pushes it below, in megabits a second. */
export const reliableStartMbps = 10;
export const reliableFloorMbps = 2;
/** A transfer ends when its client is silent for this long: in general, and once the client has everything or an error. */
export const reliableIdleMs = 5_000;
export const reliableLingerMs = 1_000;

mustHold(
  "one address cannot take all TLS connections",
  maxSongTlsConnectionsPerAddress < maxSongTlsConnections,
);
mustHold("one address cannot take all UDP transfers", maxUdpTransfersPerAddress < maxUdpTransfers);
mustHold(
  "one transfer stays below the total rate",
  defaultUdpRateMbps * reliableRateFactor < maxUdpTotalMbps,
);
mustHold("a transfer starts above its floor", reliableFloorMbps <= reliableStartMbps);
mustHold("an unvalidated address can use its start", unvalidatedStartBytes <= maxUnvalidatedBytes);
mustHold("bursts have a range", udpBurstDatagrams <= maxUdpBurstDatagrams);
mustHold("a finished transfer lingers shorter than a running one waits", reliableLingerMs < reliableIdleMs);
