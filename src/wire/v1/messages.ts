/**
 * The decoded messages of protocol v1, which carries many streams on one WebSocket connection; `docs/protocol.md`
 * describes it. A message is one binary frame with one MessagePack array: a number of `messageTypes`, then the fields
 * below in their order. Undefined is nil on the wire.
 *
 * Sizes, offsets and lengths are bytes, whole numbers from 0 to 2^53 - 1. A channel is 1 to `maxChannelNumber`; where
 * `connectionChannel` is allowed, the message is about the connection. Times are milliseconds since 1970. SHA-256 is
 * 32 bytes on the wire, lower-case hex here.
 */

export const subprotocol = "wavecache.v1";
/** No server speaks it. A client offers it first: a server that agrees to it agrees to any subprotocol. */
export const decoySubprotocol = "none.wavecache";

/** The revision of v1 that this program speaks. A peer of a lower revision gets only what that revision defines. */
export const revision = 3;

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

/** On the wire, each of these is its index here. */
/** `restart` is of revision 2: it discards what an unfinished stream has. */
export const writeModes = ["create", "resume", "restart"] as const;
export const followSources = ["stream", "recording"] as const;
export const streamStates = ["unfinished", "finished"] as const;
export const listFilters = ["all", ...streamStates] as const;
/**
 * How a channel ended. `finished`, `unfinished`: the state of the stream. `ended`: the recording is over. `cancelled`:
 * the reader closed the channel. `removed`: the stream was removed.
 */
export const outcomes = ["finished", "unfinished", "ended", "cancelled", "removed"] as const;

export type WriteMode = (typeof writeModes)[number];
export type FollowSource = (typeof followSources)[number];
export type StreamState = (typeof streamStates)[number];
export type ListFilter = (typeof listFilters)[number];
export type Outcome = (typeof outcomes)[number];

/** The sample format of a stream. */
export interface AudioFormat {
  /** The name that ffmpeg uses: "pcm_s16le", "flac", "opus". 1 to `maxCodecNameChars`. */
  codec: string;
  /** In Hz, 1 to `maxDescribedSampleRate`. */
  sampleRate: number;
  /** 1 to `maxDescribedChannels`. */
  channels: number;
}

/** How the sender of a stream describes it. */
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
  /** Of an unfinished stream, the bytes received so far. */
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
  /** Initial credit of the peer: for the connection, and for each channel. */
  connectionCredit: number;
  channelCredit: number;
  /** Channels that the peer may have open at once; 0 from a client. */
  maxChannels: number;
  /** Audio that this side accepts in one DATA, 1 to `maxDataBytes`. */
  maxDataBytes: number;
  /** This side closes after receiving nothing for this long; 0 for never. */
  idleMs: number;
  /** Of revision 3, and only of a client: a token or a JWT, which replaces the credential of the handshake. */
  token?: string | undefined;
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

/** The server shuts down: no channel may open any more, and it closes the connection at the deadline. */
export interface Goodbye {
  type: "GOODBYE";
  /** Milliseconds from now. */
  deadlineMs: number;
}

/** Ends a channel with an error, or the connection, which then closes. */
export interface Fault {
  type: "ERROR";
  /** Or `connectionChannel`. */
  channel: number;
  /** A code of `base/errors.ts`; a later server may send others. */
  code: string;
  message: string;
  hint: string;
}

/** Audio. `payload` has 1 to `maxDataBytes` bytes and is a view into its frame. */
export interface Data {
  type: "DATA";
  channel: number;
  /** Of the first byte in its stream. */
  offset: number;
  /** CRC-32 (IEEE 802.3) of the payload, u32; undefined only from a server. */
  crc: number | undefined;
  payload: Uint8Array;
}

/** Grants the peer more payload bytes, 1 to `maxCreditBytes`. */
export interface Credit {
  type: "CREDIT";
  /** Or `connectionChannel`. */
  channel: number;
  bytes: number;
}

/** Progress of an upload in bytes from the start of the stream; `durable` is at most `written`. */
export interface Ack {
  type: "ACK";
  channel: number;
  written: number;
  durable: number;
}

export interface Write {
  type: "WRITE";
  channel: number;
  /** Undefined lets the server choose one, which is possible for `create` only. */
  streamId: string | undefined;
  mode: WriteMode;
  /** Stored when the stream is created; ignored when one is resumed. */
  metadata: Metadata;
  /** Of the whole stream, if the client knows it. Revision 2. */
  size?: number | undefined;
}

export interface Read {
  type: "READ";
  channel: number;
  streamId: string;
  offset: number;
  /** At least 1; undefined for everything up to the end. */
  length: number | undefined;
}

export interface Follow {
  type: "FOLLOW";
  channel: number;
  source: FollowSource;
  /** A stream id; for a recording its hardware id or stream id. */
  name: string;
  /** Undefined for audio from now on, which is the only choice for a recording. */
  offset: number | undefined;
}

export interface List {
  type: "LIST";
  channel: number;
  filter: ListFilter;
  /** Lists only ids after this one, in byte order; empty for the first page. */
  after: string;
  /** 1 to `maxListedOnChannel`. */
  limit: number;
}

export interface Info {
  type: "INFO";
  channel: number;
  /** Or the name of the stream, as `maxStreamIdChars` allows. */
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
  /** Of the whole stream. The server refuses to finish other audio. Revision 2. */
  sha256?: string | undefined;
}

/** The client cancels the channel. */
export interface Close {
  type: "CLOSE";
  channel: number;
  /** For an upload: remove the stream instead of keeping it for a resume. */
  discard: boolean;
}

/** A channel for audio is open. */
export interface Opened {
  type: "OPENED";
  channel: number;
  streamId: string;
  /** Of the next byte: the client sends it on a writing channel, the server on any other. */
  offset: number;
  /** Undefined while the stream may grow. */
  size: number | undefined;
  metadata: Metadata;
  /** On a writing channel: of the bytes before `offset`. Revision 2. */
  sha256?: string | undefined;
}

/** Ends a channel without an error. */
export interface End {
  type: "END";
  channel: number;
  outcome: Outcome;
  /** Of the whole stream; for a recording the offset where the audio ended; 0 for `removed`. */
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

/** Bytes that are not a message. If `channel` is not `connectionChannel`, only that channel fails. */
export interface Malformed {
  type: "MALFORMED";
  channel: number;
  /** What is wrong, for the peer's log. */
  reason: string;
}

/** A message of a later revision, to be ignored. */
export interface Unknown {
  type: "UNKNOWN";
  number: number;
}
