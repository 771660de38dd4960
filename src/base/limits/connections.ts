/** Limits of connections and of the audio cache protocol, of certificates, and of the shutdown. */
import { KiB, MiB } from "./units.ts";

export const defaultMaxConnections = 4096;
/** A binary frame of an upload; a longer one closes the connection with 1009. */
export const maxFrameBytes = 16 * MiB;
/** A control message, in UTF-16 units; a longer one is answered with an error. */
export const maxControlChars = 64 * KiB;
/** Room for what may be on its way to one peer: the reads that were under way when it stopped reading. */
export const webSocketBufferBytes = 64 * MiB;
/** Requests of one connection that wait for an answer; at this number its socket is paused. */
export const maxWaitingRequests = 1024;
/**
 * After a pause what the kernel had already delivered still arrives. Past this number of waiting requests the
 * connection is closed, because no well-behaved peer gets here.
 */
export const maxWaitingRequestsPaused = 16 * maxWaitingRequests;
/** A peer that has answers waiting and takes none of them for this long is closed. */
export const stallTimeoutMs = 60_000;
/** A connection that sends nothing for this long is closed (the most that Bun allows). */
export const idleTimeoutSeconds = 960;
/** A file with a certificate or a key. */
export const maxCertificateFileBytes = 1 * MiB;
/** How often the files of the certificate are looked at, beside the watching of their folders. */
export const certificateCheckMs = 30_000;
/** How long their folders must be quiet before they are read: a certificate and its key are not written at once. */
export const certificateSettleMs = 300;
/** How long a self-signed certificate holds (Apple's systems take none that holds longer), and when it is renewed. */
export const selfSignedDays = 825;
export const selfSignedRenewalDays = 30;
/** How long a shutdown waits for acknowledgements and unsent answers. */
export const shutdownGraceMs = 8_000;
