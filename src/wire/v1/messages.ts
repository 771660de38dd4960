/**
 * Protocol v1: many streams on one WebSocket connection. `docs/protocol.md` describes it; here is what its messages
 * are once decoded. Each is one binary frame with one MessagePack array, whose first element is a number of
 * `messageTypes` and whose others are the fields below in their order. Undefined is nil on the wire.
 *
 * Sizes, offsets and lengths are bytes, whole numbers from 0 to 2^53 - 1. A channel is 1 to `maxChannelNumber`; where
 * `connectionChannel` is allowed, the message is about the connection. Times are milliseconds since 1970. SHA-256 is
 * 32 bytes on the wire, lower-case hex here.
 */

export const subprotocol = "wavecache.v1";

/** What this program speaks of v1: a peer of a lower revision gets nothing that its revision does not have. */
export const revision = 1;

/** The channel number of messages about the connection itself. */
export const connectionChannel = 0;

export const messageTypes = {
  HELLO: 1,
  PING: 2,
  PONG: 3,
  GOODBYE: 4,
  ERROR: 5,
  DATA: 8,
  CREDIT: 9,
  ACK: 10,
  WRITE: 16,
  READ: 17,
  FOLLOW: 18,
  LIST: 19,
  INFO: 20,
  REMOVE: 21,
  FINISH: 22,
  CLOSE: 23,
  OPENED: 32,
  END: 33,
  STREAMS: 34,
} as const;

/** Their numbers on the wire are their places here. */
export const writeModes = ["create", "resume"] as const;
export const followSources = ["stream", "recording"] as const;
export const streamStates = ["unfinished", "finished"] as const;
export const listFilters = ["all", ...streamStates] as const;
/**
 * How a channel ended. `finished`, `unfinished`: so is the stream. `ended`: the recording is over. `cancelled`: the
 * reader closed. `removed`: the stream is no more.
 */
export const outcomes = ["finished", "unfinished", "ended", "cancelled", "removed"] as const;

export type WriteMode = (typeof writeModes)[number];
export type FollowSource = (typeof followSources)[number];
export type StreamState = (typeof streamStates)[number];
export type ListFilter = (typeof listFilters)[number];
export type Outcome = (typeof outcomes)[number];

/** What kind of samples a stream has. */
export interface AudioFormat {
  /** As ffmpeg names it: "pcm_s16le", "flac", "opus". 1 to `maxCodecNameChars`. */
  codec: string;
  /** In Hz, 1 to `maxDescribedSampleRate`. */
  sampleRate: number;
  /** 1 to `maxDescribedChannels`. */
  channels: number;
}

/** What a stream's sender says of it. */
export interface Metadata {
  /** MIME type. */
  contentType: string | undefined;
  format: AudioFormat | undefined;
  /** Up to `maxTags`; keys are a letter, then letters, digits, `_`, `.` or `-`. */
  tags: Readonly<Record<string, string>>;
}

export interface StreamInfo {
  streamId: string;
  state: StreamState;
  /** Of an unfinished stream what it has so far. */
  size: number;
  sha256: string | undefined;
  createdAt: number;
  updatedAt: number;
  finishedAt: number | undefined;
  metadata: Metadata;
}

/** The first message of both sides. */
export interface Hello {
  type: "HELLO";
  /** From 1. */
  revision: number;
  /** The program, for logs. */
  name: string;
  /** What the other side may send before it is granted more: over the connection, on each channel that opens. */
  connectionCredit: number;
  channelCredit: number;
  /** Channels that the other side may have open at once; 0 from a client. */
  maxChannels: number;
  /** Audio in one DATA that this side takes, 1 to `maxDataBytes`. */
  maxDataBytes: number;
  /** This side closes when nothing comes for so long; 0 for never. */
  idleMs: number;
}

/** Asks for a PONG with the same number, u32. */
export interface Ping {
  type: "PING";
  nonce: number;
}

export interface Pong {
  type: "PONG";
  nonce: number;
}

/** The server goes: nothing new may be opened, and at the deadline it closes. */
export interface Goodbye {
  type: "GOODBYE";
  /** Milliseconds from now. */
  deadlineMs: number;
}

/** The last word about a channel, or about the connection, which is then closed. */
export interface Fault {
  type: "ERROR";
  /** Or `connectionChannel`. */
  channel: number;
  /** A code of `base/errors.ts`; a later server may know others. */
  code: string;
  message: string;
  hint: string;
}

/** Audio. `payload` has 1 to `maxDataBytes` and is a view into the frame it came in. */
export interface Data {
  type: "DATA";
  channel: number;
  /** Of the first byte in its stream. */
  offset: number;
  /** CRC-32 (IEEE 802.3) of the payload, u32; undefined only from a server. */
  crc: number | undefined;
  payload: Uint8Array;
}

/** So many bytes of payload more may be sent, 1 to `maxCreditBytes`. */
export interface Credit {
  type: "CREDIT";
  /** Or `connectionChannel`. */
  channel: number;
  bytes: number;
}

/** How far an upload has come, from the stream's beginning; `durable` is at most `written`. */
export interface Ack {
  type: "ACK";
  channel: number;
  written: number;
  durable: number;
}

export interface Write {
  type: "WRITE";
  channel: number;
  /** Undefined: the server chooses one; only to create. */
  streamId: string | undefined;
  mode: WriteMode;
  /** Kept when the stream is created; ignored where one is resumed. */
  metadata: Metadata;
}

export interface Read {
  type: "READ";
  channel: number;
  streamId: string;
  offset: number;
  /** At least 1; undefined for all there is. */
  length: number | undefined;
}

export interface Follow {
  type: "FOLLOW";
  channel: number;
  source: FollowSource;
  /** A stream id; of a recording its hardware id or stream id. */
  name: string;
  /** Undefined: what comes from now on; of a recording always. */
  offset: number | undefined;
}

export interface List {
  type: "LIST";
  channel: number;
  filter: ListFilter;
  /** Only ids behind this one, in the order of their bytes; empty for the first page. */
  after: string;
  /** 1 to `maxListedOnChannel`. */
  limit: number;
}

export interface Info {
  type: "INFO";
  channel: number;
  streamId: string;
}

export interface Remove {
  type: "REMOVE";
  channel: number;
  streamId: string;
}

/** The upload is complete. */
export interface Finish {
  type: "FINISH";
  channel: number;
  /** Of the whole stream. */
  size: number;
}

/** The client wants no more of the channel. */
export interface Close {
  type: "CLOSE";
  channel: number;
  /** Of an upload: throw away what there is of it. */
  discard: boolean;
}

/** A channel for audio is open. */
export interface Opened {
  type: "OPENED";
  channel: number;
  streamId: string;
  /** Of the byte that comes next: from the client to a writing channel, from the server else. */
  offset: number;
  /** Undefined while the stream may grow. */
  size: number | undefined;
  metadata: Metadata;
}

/** The last word about a channel that went well. */
export interface End {
  type: "END";
  channel: number;
  outcome: Outcome;
  /** Of the whole stream; of a recording where the audio ended; 0 for `removed`. */
  size: number;
  /** Of the whole stream; only of a finished one. */
  sha256: string | undefined;
}

/** Answers LIST and INFO. */
export interface StreamList {
  type: "STREAMS";
  channel: number;
  streams: StreamInfo[];
  /** `after` of the next page; undefined if this is the last. */
  next: string | undefined;
}

export type ClientMessage =
  Hello | Ping | Pong | Fault | Data | Credit | Write | Read | Follow | List | Info | Remove | Finish | Close;

export type ServerMessage =
  Hello | Ping | Pong | Goodbye | Fault | Data | Credit | Ack | Opened | End | StreamList;

/** Bytes that are no message. With a channel other than `connectionChannel`, only that channel is at fault. */
export interface Malformed {
  type: "MALFORMED";
  channel: number;
  /** What is wrong, for the other side's log. */
  reason: string;
}

/** A message of a later revision, to be ignored. */
export interface Unknown {
  type: "UNKNOWN";
  number: number;
}
