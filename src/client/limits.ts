/** Limits and defaults of the client, grouped by noun. */
import { KiB, MiB } from "../base/limits/units.ts";
import { streamQuantumBytes, usualDataBytes } from "../base/limits/v1.ts";

// Connections and retries, of every protocol.

/** A WebSocket that is not open after this time fails with CONNECT_TIMEOUT. */
export const connectTimeoutMs = 5_000;
/** A request without an answer after this time fails with ANSWER_TIMEOUT. */
export const answerTimeoutMs = 30_000;
/** A connection whose buffered bytes do not leave for this time is lost. */
export const stallTimeoutMs = 60_000;
/** A server that does not answer the WebSocket close in this time is cut off. */
export const closeTimeoutMs = 1_000;

/** Failed attempts without progress; after this many more the last error is final. */
export const defaultRetries = 10;
/** The delay before a retry doubles from the first to the maximum. */
export const firstRetryDelayMs = 100;
export const maxRetryDelayMs = 3_000;
/** The retries count from zero again when a connection is lost that was stable for this long. */
export const stableConnectionMs = 10_000;

/** Polls of a full socket: the interval doubles, so that a slow network costs no processor time. */
export const firstPollMs = 1;
export const maxPollMs = 16;

/** Received frames that are not read yet; above either limit the connection fails with UNEXPECTED. */
export const maxInboxBytes = 512 * MiB;
export const maxInboxFrames = 65_536;

// The older protocol of the audio cache.

/**
 * An upload frame. Every server accepts the default, and this one 1 MiB unless its `--max-message-bytes` allows more; a
 * size outside 1 to the maximum is BAD_ARGUMENT.
 */
export const defaultChunkBytes = 8 * KiB;
export const maxChunkBytes = 16 * MiB;

/** The length that one GET requests; one outside 1 to the maximum is BAD_ARGUMENT. */
export const defaultGetBytes = 64 * KiB;
export const maxGetBytes = 16 * MiB;
/** Head of an answer to a WebSocket handshake; a longer one fails. */
export const maxHandshakeBytes = 16 * KiB;
/** Unanswered GETs; at the window the next GET waits. A window outside 1 to the maximum is BAD_ARGUMENT. */
export const defaultWindowGets = 16;
export const maxWindowGets = 256;

/** Text before the first answer is a greeting if a binary frame follows within this time; otherwise it is audio. */
export const greetingMs = 1_000;
/** Some servers send nothing at the end of a stream. If the size is unknown, this idle time ends it. */
export const endIdleMs = 5_000;

/**
 * Buffered bytes at which sending pauses, and at which it resumes. Larger values were not faster on loopback (1 to
 * 16 MiB: within the noise); smaller ones leave the kernel idle until the next poll.
 */
export const highWaterBytes = 2 * MiB;
export const lowWaterBytes = 1 * MiB;
/** Bytes read from a source at once, but at least one frame. */
export const blockBytes = 1 * MiB;
/** After sending for this time an upload yields to the event loop. */
export const sendSliceMs = 20;

/** Some servers do not read longer text frames; a stream id that would need one is BAD_ARGUMENT. */
export const maxTextBytes = 1_000;

// Live ingest.

/** Samples per channel in a frame: the handshake holds no more. Longer frames are BAD_ARGUMENT. */
export const maxFrameSamples = 65_535;
/** Bytes of PCM16 that are encoded at once. */
export const trackBlockBytes = 256 * KiB;
/** Encoded blocks of one file; above this the least recently used are dropped and encoded again when needed. */
export const trackCacheBytes = 16 * MiB;
/** Buffered bytes of one stream at which sending pauses, and at which it resumes. */
export const ingestHighWaterBytes = 256 * KiB;
export const ingestLowWaterBytes = 64 * KiB;
/** After sending for this time one of many streams yields to the event loop. */
export const ingestSliceMs = 4;
/** A server may have much to write before it answers the close; after this time the stream ends without its answer. */
export const gracefulCloseTimeoutMs = 30_000;

// Devices.

/** A button event that is not acknowledged in this time fails with ANSWER_TIMEOUT. */
export const ackTimeoutMs = 5_000;
/** Unacknowledged events of a device; the next one fails with BUSY. */
export const maxWaitingAcks = 256;
/** Some servers end the audio stream with each sound. It is reopened after this delay, unless the device ends too. */
export const audioReopenMs = 250;

// Songs.

/** A UDP request is repeated after this time. After this many requests the server does not answer. */
export const udpRequestMs = 200;
export const maxUdpRequests = 15;
/** The older UDP protocol marks the end badly: after this idle time the song ends, as incomplete. */
export const plainUdpIdleTimeoutMs = 2_000;
/** A reliable transfer without a datagram for this time fails with CONNECTION_LOST. */
export const reliableUdpIdleTimeoutMs = 10_000;
/** The socket's receive buffer. A system that allows less keeps its own; datagrams above it are lost. */
export const udpReceiveBufferBytes = 4 * MiB;
/** Received blocks that are not read yet. The ACK tells the server this limit, and it sends no further. */
export const reliableWindowBlocks = 2048;
/** The interval of ACKs while blocks arrive, and while none do. */
export const reliableAckMs = 10;
export const reliableIdleAckMs = 100;
/** The older UDP protocol has no backpressure: above this many unread bytes the song fails with READER_TOO_SLOW. */
export const maxPlainWaitingBytes = 512 * MiB;
/** Received datagrams are joined to chunks of up to this size. */
export const songChunkBytes = 256 * KiB;

// Protocol v1.

/** Reconnections without progress: about a minute, in which a server can restart. After them the error is final. */
export const defaultStreamRetries = 30;
/** A server that agrees to v1 must send HELLO in this time, or it is treated as an older server. */
export const helloTimeoutMs = 2_000;
/** A server that sends nothing for this time, although it is pinged, is lost. */
export const serverIdleTimeoutMs = 30_000;
/** The minimum interval of PINGs to a server that does not answer. */
export const pingIntervalMs = 1_000;
/** FINISH without END after this time fails with ANSWER_TIMEOUT. The server may have to sync gigabytes first. */
export const finishTimeoutMs = 300_000;
/** Calls that wait for a free channel; the next one fails with BUSY. */
export const maxWaitingChannels = 16_384;
/** Bytes read from a source at once, for each upload. */
export const streamBlockBytes = streamQuantumBytes;
/** Buffered bytes at which audio pauses, and at which it resumes. Low, because every other message queues behind it. */
export const streamHighWaterBytes = 1 * MiB;
export const streamLowWaterBytes = 512 * KiB;
/**
 * Bytes kept in memory because they are not durable yet: of all writers of a client, and the bounds of one writer's
 * share. A writer at its share waits. Many writers with the minimum may exceed the budget.
 */
export const replayBudgetBytes = 128 * MiB;
export const minReplayBytes = 1 * MiB;
export const maxReplayBytes = 64 * MiB;
/** Replay buffers allocate and free blocks of this size. */
export const replayBlockBytes = usualDataBytes;
/** After a lost connection a follower waits this long for the sender to return; then the audio ends. */
export const followResumeTimeoutMs = 10_000;

if (lowWaterBytes >= highWaterBytes) throw new RangeError("low water must be below high water");
if (ingestLowWaterBytes >= ingestHighWaterBytes)
  throw new RangeError("ingest: low water must be below high water");
if (streamLowWaterBytes >= streamHighWaterBytes)
  throw new RangeError("v1: low water must be below high water");
if (replayBlockBytes > minReplayBytes) throw new RangeError("a writer's share must hold at least one block");
