/** Limits of protocol v1. */
import { defaultMaxMessageBytes } from "./connections.ts";
import { readSliceBytes } from "./lanes.ts";
import { mustHold } from "./relation.ts";
import { GiB, KiB, MiB } from "./units.ts";

/** Audio in one DATA message; a longer one is malformed and closes the connection. */
export const maxDataBytes = 256 * KiB;
/**
 * Audio in a DATA message of this server or client. With its headers it fills one segment as TCP hands it down, which
 * is 64 KiB including the headers of TCP and IP; a little more would begin a second segment. Where TCP paces segments
 * by timers (BBR), a second one cost a bare sender on one connection 2.7 times the processor time with messages of
 * 64 KiB, and 1.6 times with 256 KiB.
 */
export const usualDataBytes = 63 * KiB;
/** Round-robin quantum of a stream: after this much audio another stream of the connection sends. */
export const streamQuantumBytes = 4 * usualDataBytes;
/** Round-robin quantum of a connection: after this much audio other connections send. */
export const connectionQuantumBytes = 1 * MiB;
/** Any message of v1; a longer one closes the connection with 1009. */
export const maxMessageBytes = maxDataBytes + 1 * KiB;
/** Open channels of one connection; one more is refused with STREAMS_EXHAUSTED. */
export const maxChannels = 1024;
/** Highest number of a channel; a higher one is malformed. */
export const maxChannelNumber = 65_535;
/** Credit that one side holds for a channel or the connection; a grant beyond it is a protocol error. */
export const maxCreditBytes = 1 * GiB;
/** Credit that a connection, and each channel, starts with. */
export const initialConnectionCreditBytes = 16 * MiB;
export const initialChannelCreditBytes = usualDataBytes;
/** Unread audio that one receiver grants credit for: to all channels of a connection, and to a single channel. */
export const receiveBudgetBytes = 32 * MiB;
export const maxChannelWindowBytes = 16 * usualDataBytes;
/** The same for all connections of the server, beyond the initial credit of each channel. */
export const totalReceiveBudgetBytes = 256 * MiB;
/** Control messages that a peer leaves unread; above this the connection is closed as stalled. */
export const maxUnreadAnswerBytes = 4 * MiB;
/** Queries of one connection that run at once; further ones wait. */
export const maxConcurrentQueries = 4;
/** Longest interval between acknowledgements of an upload that makes progress. */
export const ackIntervalMs = 500;
/** Interval at which followers of an upload learn its size. */
export const followIntervalMs = 50;
/** A connection that receives nothing for this long is closed; peers ping after a third of it. */
export const messageIdleTimeoutMs = 60_000;
/** Streams in one page of a listing over v1; a query for more is malformed. */
export const maxListedOnChannel = 256;
/** Texts of v1, in UTF-16 units: the name of a program, and each part of an error. A longer text is malformed. */
export const maxPeerNameChars = 128;
export const maxErrorTextChars = 1024;

mustHold("a usual message is allowed", usualDataBytes <= maxDataBytes);
mustHold("a message of v1 fits a WebSocket message", maxMessageBytes <= defaultMaxMessageBytes);
mustHold("every channel has a number", maxChannels <= maxChannelNumber);
mustHold("a channel starts with credit for a usual message", initialChannelCreditBytes >= usualDataBytes);
mustHold("a channel window is whole messages", maxChannelWindowBytes % usualDataBytes === 0);
mustHold("a grant is never above the highest credit", receiveBudgetBytes <= maxCreditBytes);
mustHold("the server's budget covers a connection's", receiveBudgetBytes <= totalReceiveBudgetBytes);
mustHold(
  "the initial credit of all channels stays near the budget of a connection",
  initialChannelCreditBytes * maxChannels <= 2 * receiveBudgetBytes,
);
mustHold("a quantum arrives in one part", streamQuantumBytes <= readSliceBytes);
mustHold("a connection's turn lets several streams send", streamQuantumBytes <= connectionQuantumBytes);
mustHold("uploads are acknowledged before a connection is idle", ackIntervalMs < messageIdleTimeoutMs / 3);
