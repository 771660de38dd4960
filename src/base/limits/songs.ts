/** Limits of songs by name, over TLS and UDP. */
import { KiB } from "./units.ts";

/** Songs over TLS: connections at once, in all and of one address. */
export const maxSongTlsConnections = 512;
export const maxSongTlsConnectionsPerAddress = 64;
/** What is read of a song at once; one that is sent takes at most twice that in memory. */
export const songReadBytes = 256 * KiB;
/** What may come behind the name of a song. */
export const maxSongSurplusBytes = 64 * KiB;
/** How long a connection may take for its handshake and the name of a song. */
export const songNameTimeoutMs = 5_000;
/** A connection that takes nothing of its song for this long is closed. A player takes it no faster than it plays. */
export const songStallTimeoutMs = 180_000;
/** How long a peer that has got its song may leave the connection open. */
export const songLingerMs = 5_000;
/**
 * What one transfer over UDP sends at most, in megabits a second. A plain client's receive buffer holds 90 datagrams,
 * which is 74 ms of this pace. That is what it is chosen by: on loopback 240 Mbit/s went through without loss, and at
 * every pace all that was lost was lost while the client had no processor for longer than its buffer lasts.
 */
export const defaultUdpRateMbps = 10;
/** How many times that a reliable transfer may send: it notices what is lost, and gives way. */
export const reliableRateFactor = 10;
/** What all transfers over UDP send together. */
export const maxUdpTotalMbps = 1000;
/** Transfers over UDP at once, to one address and in all. */
export const maxUdpTransfersPerAddress = 64;
export const maxUdpTransfers = 256;
/** Datagrams sent at once to one client: at least so many where there are, so that few calls send many; and at most. */
export const udpBurstDatagrams = 8;
export const maxUdpBurstDatagrams = 32;
/** What is read at once of a song that is sent over UDP; two such reads are in memory. */
export const udpReadBytes = 64 * KiB;
/** How long the proof of an address holds, at least. */
export const udpTokenMs = 10_000;
/** Reliable UDP: how far ahead of what the client has may be sent, in blocks. */
export const reliableWindowBlocks = 4096;
/** The rate to begin with, and the one that no loss goes below, in megabits a second. */
export const reliableStartMbps = 10;
export const reliableFloorMbps = 2;
/** A client that says nothing for this long is gone; one that has everything, or was told of an error, for this long. */
export const reliableIdleMs = 5_000;
export const reliableLingerMs = 1_000;
