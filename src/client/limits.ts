/** Limits and defaults of the client, each with its unit in its name. */
import { KiB, MiB } from "../base/limits/units.ts";
import { streamQuantumBytes, usualDataBytes } from "../base/limits/v1.ts";

/** An upload frame: what every server of the protocol takes. */
export const defaultChunkBytes = 8 * KiB;
export const maxChunkBytes = 16 * MiB;

/** What one GET asks for, and how many may be unanswered at once. */
export const defaultGetBytes = 64 * KiB;
export const maxGetBytes = 16 * MiB;
export const defaultWindowGets = 16;
export const maxWindowGets = 256;

export const connectTimeoutMs = 5_000;
/** An answer to START, STOP or GET. */
export const answerTimeoutMs = 30_000;
/** Some servers fall silent at the end of a stream; where the size is not known, this much silence is the end. */
export const endIdleMs = 5_000;
/** An upload whose bytes do not leave for this long has lost its connection. */
export const stallTimeoutMs = 60_000;
/** A server that does not answer Close in this time is cut off. */
export const closeTimeoutMs = 1_000;

export const defaultRetries = 10;
export const firstRetryDelayMs = 100;
export const maxRetryDelayMs = 3_000;

/**
 * Bytes waiting in the socket at which sending pauses, and at which it goes on. Larger values were not faster
 * on loopback (1 to 16 MiB: all within the noise), smaller ones leave the kernel waiting for the next poll.
 */
export const highWaterBytes = 2 * MiB;
export const lowWaterBytes = 1 * MiB;
/** Bytes read from a source at once (at least one frame). */
export const blockBytes = 1 * MiB;
/** Time for which sending may keep the event loop to itself. */
export const sendSliceMs = 20;
/** Pauses between two looks at a full socket: doubling, so that a slow network costs no processor time. */
export const firstPollMs = 1;
export const maxPollMs = 16;

/** Frames of a server that nobody has asked for, or taken yet. */
export const maxInboxBytes = 512 * MiB;
export const maxInboxFrames = 65_536;

/** Some servers read no longer text frame. */
export const maxTextBytes = 1_000;

/** Samples a channel in an ingest frame: what its handshake can say. */
export const maxFrameSamples = 65_535;
/** Bytes of PCM16 that become frames at once, and bytes of coded frames kept for the streams of one file. */
export const trackBlockBytes = 256 * KiB;
export const trackCacheBytes = 16 * MiB;
/** Bytes waiting in the socket of one ingest stream at which sending pauses, and at which it goes on. */
export const ingestHighWaterBytes = 256 * KiB;
export const ingestLowWaterBytes = 64 * KiB;
/** Time for which one of many streams may keep the event loop to itself. */
export const ingestSliceMs = 4;
/** A server may have this much to do before it reaches the goodbye. */
export const goodbyeTimeoutMs = 30_000;
/** A connection that has held this long was a success: the next loss starts the retries anew. */
export const stableConnectionMs = 10_000;

/** How long a server of devices may take to acknowledge a button. */
export const ackTimeoutMs = 5_000;
/** Some servers end the audio stream with each sound; it is opened again after this, unless the device is ended too. */
export const audioReopenMs = 250;
/** Events of a device that wait for their acknowledgement. */
export const maxWaitingAcks = 256;

/** Songs over UDP: how long an unanswered request waits for its repetition, and how often it is made. */
export const udpRequestMs = 200;
export const maxUdpRequests = 15;
/** How long a server may be silent while bytes are waited for: by the old protocol that is the end. */
export const plainUdpIdleTimeoutMs = 2_000;
export const reliableUdpIdleTimeoutMs = 10_000;
/** What the system may hold of one socket, where it allows so much. */
export const udpReceiveBufferBytes = 4 * MiB;
/** Blocks that may have come and not been read; the server is told to send no more. */
export const reliableWindowBlocks = 2048;
/** How often the server is told what has come, while something comes and while nothing does. */
export const reliableAckMs = 10;
export const reliableIdleAckMs = 100;
/** The old protocol cannot wait for its reader. */
export const maxPlainWaitingBytes = 512 * MiB;
/** Songs read at once, in one chunk, at most. */
export const songChunkBytes = 256 * KiB;

/** Protocol v1. Reconnections without progress before giving up: about a minute, in which a server can start again. */
export const defaultStreamRetries = 30;
/** A server that says nothing for this long, though it is asked, is gone. */
export const serverIdleTimeoutMs = 30_000;
/** Time between two PINGs to a server that does not answer. */
export const pingIntervalMs = 1_000;
/** The last word about an upload that is complete: the server may have gigabytes to force to its disk. */
export const finishTimeoutMs = 300_000;
/** Channels that wait until the server has room for more. */
export const maxWaitingChannels = 16_384;
/** Bytes read from a source at once, for each upload. */
export const streamBlockBytes = streamQuantumBytes;
/** What may wait in the socket: little, since whatever is sent next stands behind it. */
export const streamHighWaterBytes = 1 * MiB;
export const streamLowWaterBytes = 512 * KiB;
/** Audio written but not yet durable, which is kept to be sent again: by all writers, and by one of them. */
export const replayBudgetBytes = 128 * MiB;
export const minReplayBytes = 1 * MiB;
export const maxReplayBytes = 64 * MiB;
export const replayBlockBytes = usualDataBytes;
/** How long a follower waits for an upload or a recording to go on that the loss of a server has interrupted. */
export const followResumeTimeoutMs = 10_000;
/** How long a server that seems to agree to v1 may take to say so itself: some agree to whatever they are offered. */
export const helloTimeoutMs = 2_000;
