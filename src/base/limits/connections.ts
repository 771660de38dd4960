/** Limits of connections, of the audio cache protocol, of certificates, and of the shutdown. */
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/**
 * Connections over all TCP ports (`--max-connections`). One more gets the place of the oldest silent connection; if all
 * have spoken, it is refused with CONNECTIONS_EXHAUSTED.
 */
export const defaultMaxConnections = 4096;
/** Connections of one address (`--max-connections-per-address`); likewise, with ADDRESS_EXHAUSTED. */
export const defaultMaxConnectionsPerAddress = 256;
/** A connection without a first message or request after this long is closed with PEER_SILENT. */
export const firstMessageMs = 30_000;
/**
 * A silent connection is not evicted before this age, as its first message may be on its way; unless there are as many
 * silent connections as in a flood.
 */
export const evictionGraceMs = 250;
export const silentFlood = 16;
/** HTTP: a connection without a request is closed after this long. */
export const httpIdleSeconds = 10;
/**
 * A WebSocket message (`--max-message-bytes`), or the body of a short HTTP request. A longer message closes the
 * connection with 1009. The flag may raise it to the highest value.
 */
export const defaultMaxMessageBytes = 1 * MiB;
export const highestMaxMessageBytes = 64 * MiB;
/** A WebSocket message, or the body of a short HTTP request, must be complete after this long. */
export const messageTimeoutMs = 60_000;
/** All connections together may hold incomplete messages of this part of the memory; flags beyond it stop the start. */
export const maxMessageMemoryShare = 1 / 2;
/** Descriptors that no connection gets, as a share of the process's limit and at least: files and threads need some. */
export const descriptorReserveShare = 1 / 16;
export const minDescriptorReserve = 16;
export const maxDescriptorReserve = 256;
/** The part of the descriptors for files that readers get; uploads get the rest. */
export const readFilesShare = 1 / 4;
/** Descriptors that a thread needs for itself. */
export const descriptorsPerThread = 4;
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

/** At a shutdown requests get this long for their answers; then their connections are closed. */
export const lastAnswersMs = 1_000;
/** Default of `--drain-seconds`: uploads in progress get this long to end by themselves; then they are interrupted. */
export const defaultDrainSeconds = 3;
export const maxDrainSeconds = 3_600;
/** The process exits this long after the drain even if acknowledgements or answers are still unsent. */
export const settleGraceMs = 5_000;

mustHold("last answers come before the exit", lastAnswersMs < settleGraceMs);
mustHold("a whole message fits the send buffer", highestMaxMessageBytes <= webSocketBufferBytes);
mustHold("a message may take longer than the first one", firstMessageMs <= messageTimeoutMs);
mustHold("silent connections can be evicted", evictionGraceMs < firstMessageMs);
mustHold("a self-signed certificate is renewed later than made", selfSignedRenewalDays < selfSignedDays);
mustHold("changed certificates are read before the next check", certificateSettleMs < certificateCheckMs);
mustHold("a stalled peer is closed before an idle one", stallTimeoutMs < idleTimeoutSeconds * 1000);
