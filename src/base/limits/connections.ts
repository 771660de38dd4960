/** Limits of connections, of the audio cache protocol, of certificates, and of the shutdown. */
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/** WebSocket connections over all ports (`--max-connections`); the handshake of one more is answered with 503. */
export const defaultMaxConnections = 4096;
/** A WebSocket message, or the body of an HTTP request. A longer message closes the connection with 1009. */
export const maxFrameBytes = 16 * MiB;
/** A control message of the audio cache protocol, in UTF-16 units; a longer one is answered with an error. */
export const maxControlChars = 64 * KiB;
/** Unsent bytes that Bun buffers for one connection; it drops messages beyond them, so no gateway may send that far. */
export const webSocketBufferBytes = 64 * MiB;
/** Unanswered requests of one connection; at this number the server pauses the socket until half of them are answered. */
export const maxWaitingRequests = 1024;
/**
 * Requests that the kernel had received before a pause still arrive after it. Above this number of unanswered requests
 * the server closes the connection; a well-behaved peer never gets here.
 */
export const maxWaitingRequestsPaused = 16 * maxWaitingRequests;
/** A peer that reads none of its queued answers for this long is disconnected. */
export const stallTimeoutMs = 60_000;
/** A connection that sends nothing for this long is closed. Bun allows no longer idle timeout. */
export const idleTimeoutSeconds = 960;

/** A file with a certificate or a key; a larger file is refused as unusable. */
export const maxCertificateFileBytes = 1 * MiB;
/** Certificate files are checked this often even if their folders report no change. */
export const certificateCheckMs = 30_000;
/** Read changed certificate files once their folder was quiet for this long: a certificate and its key change one by one. */
export const certificateSettleMs = 300;
/** Validity of a self-signed certificate (Apple's systems refuse a longer one); the server renews it this long before. */
export const selfSignedDays = 825;
export const selfSignedRenewalDays = 30;

/** The process exits after this long even if acknowledgements or answers are still unsent. */
export const shutdownGraceMs = 8_000;

mustHold("a whole message fits the send buffer", maxFrameBytes <= webSocketBufferBytes);
mustHold("a self-signed certificate is renewed later than made", selfSignedRenewalDays < selfSignedDays);
mustHold("changed certificates are read before the next check", certificateSettleMs < certificateCheckMs);
mustHold("a stalled peer is closed before an idle one", stallTimeoutMs < idleTimeoutSeconds * 1000);
