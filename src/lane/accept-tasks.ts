/**
 * What crosses the lane of an accepting thread, which does the work of sockets and nothing else. The subject is a
 * connection's number, given by that thread and never used again.
 *
 * From an accepting thread:
 *
 *     PEERS_WELCOME -                           it listens now; subject 0
 *     PEER_ASKS     JSON, `PeerHandshake`       a WebSocket handshake: may it go on?
 *     PEER_OPEN     -                           it did
 *     PEER_TEXT     UTF-8                       a message, or its last piece; PEER_TEXT_PART: more of it follows
 *     PEER_BINARY   bytes                       the same; PEER_BINARY_PART
 *     PEER_TOOK     f64 bytes                   so many more of what it was sent are with the peer's system
 *     PEER_CLOSED   -                           the last of this connection, also of one that never opened
 *
 * To an accepting thread:
 *
 *     SEND_ADMIT    JSON, `PeerAdmission`       the answer to PEER_ASKS, or this:
 *     SEND_REFUSE   JSON, `PeerRefusal`
 *     SEND_TEXT     UTF-8                       as above; SEND_TEXT_PART
 *     SEND_BINARY   bytes                       SEND_BINARY_PART
 *     SEND_PAUSE    -                           no more messages for now; SEND_RESUME: again
 *     SEND_CLOSE    u16 code, UTF-8 reason
 *     SEND_CUT      -                           without a word
 *     SEND_END      -                           subject 0: the thread is to end
 */
import { readSliceBytes } from "../base/limits.ts";
import type { LanePort } from "./lane-port.ts";
import { FULL } from "./ring.ts";
import type { Body } from "./tasks.ts";

export const PEER_ASKS = 96;
export const PEER_OPEN = 97;
export const PEER_TEXT = 98;
export const PEER_TEXT_PART = 99;
export const PEER_BINARY = 100;
export const PEER_BINARY_PART = 101;
export const PEER_TOOK = 102;
export const PEER_CLOSED = 103;
export const PEERS_WELCOME = 104;

export const SEND_ADMIT = 112;
export const SEND_REFUSE = 113;
export const SEND_TEXT = 114;
export const SEND_TEXT_PART = 115;
export const SEND_BINARY = 116;
export const SEND_BINARY_PART = 117;
export const SEND_PAUSE = 118;
export const SEND_RESUME = 119;
export const SEND_CLOSE = 120;
export const SEND_CUT = 121;
export const SEND_END = 122;

/** The kinds whose messages may come in pieces: all but the last are of the kind one above. */
const inPieces = new Set([PEER_TEXT, PEER_BINARY, SEND_TEXT, SEND_BINARY]);
const pieceBytes = readSliceBytes;

/** What an accepting thread is told at its start. */
export interface AcceptStart {
  host: string;
  port: number;
  /** The Unix socket on which the main thread answers plain HTTP. */
  httpSocket: string;
}

export interface PeerHandshake {
  path: string;
  userAgent: string;
  /** Subprotocols that it offers. */
  protocols: string[];
  address: string;
}

/** It may be opened. */
export interface PeerAdmission {
  /** The subprotocol that is spoken, of those that the peer offers. */
  protocol?: string | undefined;
}

/** An HTTP response in place of a WebSocket. */
export interface PeerRefusal {
  status: number;
  headers: [string, string][];
  body: string;
}

/** The subprotocols in a header of a handshake (RFC 6455, section 11.3.4). */
export function splitProtocols(header: string | null): string[] {
  return header === null ? [] : header.split(",").map((name) => name.trim());
}

/**
 * The headers that tell a peer which subprotocol is spoken. Without any Bun agrees to whatever the peer offers first, as
 * peers of doors without a subprotocol know it.
 */
export function agreement(protocol: string | undefined): Record<string, string> | undefined {
  return protocol === undefined ? undefined : { "Sec-WebSocket-Protocol": protocol };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Out of shared memory, which the decoder does not take: a copy is decoded. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes.slice());
}

export function encodeClose(code: number, reason: string): Uint8Array {
  return Uint8Array.of(code & 255, code >> 8, ...encoder.encode(reason));
}

export function decodeClose({ bytes, offset, length }: Body): { code: number; reason: string } {
  const code = bytes[offset]! | (bytes[offset + 1]! << 8);
  return { code, reason: decodeText(bytes.subarray(offset + 2, offset + length)) };
}

interface Waiting {
  kind: number;
  bytes: Uint8Array;
  from: number;
}

/** What goes over a lane about one connection: in order, long messages in pieces, waiting where the lane is full. */
export class Outbox {
  readonly #port: LanePort;
  readonly #connection: number;
  readonly #waiting: Waiting[] = [];

  constructor(port: LanePort, connection: number) {
    this.#port = port;
    this.#connection = connection;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * Copies a message into the lane. False: some of it waits for `flush`, until which `bytes` must stay as they are;
   * the port's owner hears of room.
   */
  put(kind: number, bytes: Uint8Array): boolean {
    const message = { kind, bytes, from: 0 };
    if (this.isEmpty && this.#write(message)) return true;
    this.#waiting.push(message);
    return false;
  }

  /** Goes on with what waits. True once nothing does. */
  flush(): boolean {
    while (this.#waiting.length > 0) {
      if (!this.#write(this.#waiting[0]!)) return false;
      this.#waiting.shift();
    }
    return true;
  }

  /** Keeps a copy of what waits of the newest message, whose memory is about to be used for something else. */
  keep(): void {
    const newest = this.#waiting.at(-1);
    if (newest === undefined) return;
    newest.bytes = newest.bytes.slice(newest.from);
    newest.from = 0;
  }

  #write(message: Waiting): boolean {
    do {
      const rest = message.bytes.length - message.from;
      const isPiece = inPieces.has(message.kind) && rest > pieceBytes;
      const length = isPiece ? pieceBytes : rest;
      const at = this.#port.reserve(isPiece ? message.kind + 1 : message.kind, this.#connection, length);
      if (at === FULL) return false;
      this.#port.bytes.set(message.bytes.subarray(message.from, message.from + length), at);
      message.from += length;
    } while (message.from < message.bytes.length);
    return true;
  }
}

/** Puts messages together that come in pieces. */
export class Inbox {
  #pieces: Uint8Array[] = [];

  /** A piece that is not the last. */
  add({ bytes, offset, length }: Body): void {
    this.#pieces.push(bytes.slice(offset, offset + length));
  }

  /** The message whose last piece this is: a view of the lane if it is the only one. */
  take({ bytes, offset, length }: Body): Uint8Array {
    const last = bytes.subarray(offset, offset + length);
    if (this.#pieces.length === 0) return last;
    const whole = Buffer.concat([...this.#pieces, last]);
    this.#pieces = [];
    return whole;
  }
}
