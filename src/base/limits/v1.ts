/** Limits of protocol v1. */
import { GiB, KiB, MiB } from "./units.ts";

/** Protocol v1. Audio in one data message, at the most. */
export const maxDataBytes = 256 * KiB;
/**
 * And usually: it fills, with its heads, one segment as TCP hands it down, which is 64 KiB with the heads of TCP and IP.
 * What has a little more begins a second one. Where TCP paces segments by timers (BBR), that took a bare sender on one
 * connection 2.7 times the processor time for messages of 64 KiB, and 1.6 times for those of 256 KiB.
 */
export const usualDataBytes = 63 * KiB;
/** What one stream may send before it is another's turn: a few messages, which a server can write as one. */
export const streamTurnBytes = 4 * usualDataBytes;
/** Any message of v1 as a whole; a longer one closes the connection with 1009. */
export const maxMessageBytes = maxDataBytes + 1 * KiB;
/** Channels of one connection that are open at once, and the highest number that one may have. */
export const maxChannels = 1024;
export const maxChannelNumber = 65_535;
/** Credit that one side may have with the other, for a channel or for the connection. */
export const maxCreditBytes = 1 * GiB;
/** Credit to begin with: of a connection, of each channel. */
export const initialConnectionCreditBytes = 16 * MiB;
export const initialChannelCreditBytes = usualDataBytes;
/** What the channels of one connection may have on their way to one receiver together, and one of them at the most. */
export const receiveBudgetBytes = 32 * MiB;
export const maxChannelWindowBytes = 16 * usualDataBytes;
/** The same of all connections together, beyond what every channel has to begin with. */
export const totalReceiveBudgetBytes = 256 * MiB;
/** What one connection sends before others have their turn. */
export const connectionTurnBytes = 1 * MiB;
/** Short messages that a peer leaves untaken; past it the connection is closed. */
export const maxUnreadAnswerBytes = 4 * MiB;
/** Queries of one connection that are worked on at once; the others wait for their turn. */
export const maxConcurrentQueries = 4;
/** How long peers may take to finish what they have begun when the server goes. */
export const goodbyeMs = 3_000;
/** How often an upload that comes on is acknowledged, at least. */
export const ackIntervalMs = 500;
/** How often those who follow an upload hear how far it is. */
export const followIntervalMs = 50;
/** A connection of v1 on which nothing comes for this long is closed; peers ping when a third of it is over. */
export const messageIdleTimeoutMs = 60_000;
/** Streams in one page of a listing over v1. */
export const maxListedOnChannel = 256;
/** Texts of v1, in UTF-16 units: a program's name, the parts of an error, the MIME type and codec of audio. */
export const maxPeerNameChars = 128;
export const maxErrorTextChars = 1024;

if (maxChannelWindowBytes % usualDataBytes !== 0) throw new RangeError("a window is whole messages");
if (initialChannelCreditBytes * maxChannels > 2 * receiveBudgetBytes) {
  throw new RangeError("the first credit of all channels must not go far beyond the budget of a connection");
}
