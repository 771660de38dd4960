/**
 * The messages of reliable UDP, which transfers songs without loss. It shares the port of the old protocol; the first
 * byte of its magic cannot begin the name of a song. `docs/reliable-udp.md` describes the exchange. Numbers are
 * little-endian. A datagram has up to 1200 bytes, which no path fragments.
 *
 *     struct header {            // 16 bytes
 *       u8  magic[4];            // 00 57 43 53
 *       u8  version;             // 1
 *       u8  type;
 *       u16 zero;
 *       u64 transfer;            // random, chosen by the client; in every message of the transfer
 *     };
 *
 *     1 REQUEST  to the server   u8 token[20], u32 limit, u16 nameBytes, u8 name[nameBytes], zeros up to 64 bytes in all
 *     2 TOKEN    to the client   u8 token[20]
 *     3 SONG     to the client   u64 size, u16 blockBytes, u8 flags (1: the digest is known), u8 zero, u8 sha256[32]
 *     4 DATA     to the client   u32 block, u32 stamp, u8 bytes[blockBytes] (the last block is shorter)
 *     5 ACK      to the server   u32 next, u32 limit, u32 seen, u32 stamp, u16 heldMs, u16 count,
 *                                { u32 from, u32 to } missing[count]
 *     6 END      to the client   u8 sha256[32]
 *     7 CLOSE    to the server   u8 reason (0: complete, 1: cancelled), u8 zero[3]
 *     8 ERROR    to the client   u8 codeChars, u8 code[codeChars]
 *
 * DISCOVER, to the server, is text without a header: `encodeDiscover`.
 */
const magic = Uint8Array.of(0, 0x57, 0x43, 0x53);
const version = 1;

/** The longest datagram. */
export const maxDatagramBytes = 1200;
/** The shortest REQUEST. Answers to a REQUEST without a valid token are shorter, so nobody can amplify traffic. */
export const minRequestBytes = 64;
export const tokenBytes = 20;
/** A TOKEN. Only a datagram that is not shorter gets one: a forged address gets no more bytes than the forger sent. */
export const tokenMessageBytes = 16 + tokenBytes;
export const digestBytes = 32;

const headerBytes = 16;
const dataHeaderBytes = headerBytes + 8;
/** Bytes of the song in one DATA. */
export const blockBytes = maxDatagramBytes - dataHeaderBytes;
/** Missing ranges in one ACK; later ACKs report the others. */
export const maxMissingRanges = 128;
/** Block numbers have 32 bits. */
export const maxReliableSongBytes = blockBytes * 0xffff_ffff;

const types = { request: 1, token: 2, song: 3, data: 4, ack: 5, end: 6, close: 7, error: 8 } as const;

/** Blocks from `from` up to but excluding `to`. */
export interface BlockRange {
  from: number;
  to: number;
}

export interface RequestMessage {
  type: "request";
  transfer: bigint;
  /** All zeros until the client has one. */
  token: Uint8Array;
  /** Blocks below this may be sent before the first ACK. */
  limit: number;
  name: string;
}
export interface TokenMessage {
  type: "token";
  transfer: bigint;
  token: Uint8Array;
}
export interface SongMessage {
  type: "song";
  transfer: bigint;
  /** Bytes of the song, and of each block except the last. */
  size: number;
  blockBytes: number;
  /** 32 bytes; undefined if it follows in END. */
  sha256: Uint8Array | undefined;
}
export interface DataMessage {
  type: "data";
  transfer: bigint;
  block: number;
  /** Opaque to the client, which returns it in its ACK. */
  stamp: number;
  bytes: Uint8Array;
}
export interface AckMessage {
  type: "ack";
  transfer: bigint;
  /** The client has all blocks below this. */
  next: number;
  /** Blocks below this may be sent. */
  limit: number;
  /** The highest received block plus 1, or 0. */
  seen: number;
  /** Stamp of the latest DATA, and how long the client waited with this ACK, in milliseconds. */
  stamp: number;
  heldMs: number;
  /** The first missing ranges between `next` and `seen`: in order, with received blocks between them. */
  missing: BlockRange[];
}
export interface EndMessage {
  type: "end";
  transfer: bigint;
  sha256: Uint8Array;
}
export interface CloseMessage {
  type: "close";
  transfer: bigint;
  complete: boolean;
}
export interface ErrorMessage {
  type: "error";
  transfer: bigint;
  /** A code of the error table, such as SONG_UNKNOWN. */
  code: string;
}
export type ReliableMessage =
  | RequestMessage
  | TokenMessage
  | SongMessage
  | DataMessage
  | AckMessage
  | EndMessage
  | CloseMessage
  | ErrorMessage;

/** Whether a datagram belongs to this protocol, in any version and even if it is malformed. */
export function isReliable(datagram: Uint8Array): boolean {
  return datagram.length >= magic.length && magic.every((byte, at) => datagram[at] === byte);
}

/** The message in a datagram; undefined if it is malformed. Byte fields are views of the datagram. Never throws. */
export function decodeReliable(datagram: Uint8Array): ReliableMessage | undefined {
  if (!isReliable(datagram) || datagram.length < headerBytes || datagram.length > maxDatagramBytes)
    return undefined;
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  if (view.getUint8(4) !== version) return undefined;
  const decode = decoders[view.getUint8(5)];
  return decode?.(view, datagram.subarray(headerBytes), view.getBigUint64(8, true));
}

/**
 * DISCOVER: the first datagram of a client that does not know the server. It is the name of a song that no server has:
 * servers of the plain protocol fail on anything that is not text. Answered with TOKEN.
 */
const discoverPrefix = "wavecache-reliable-udp-1-";
const discoverPattern = new RegExp(`^${discoverPrefix}([0-9a-f]{16})$`);

export function encodeDiscover(transfer: bigint): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(discoverPrefix + transfer.toString(16).padStart(16, "0"));
}

/** The transfer that a client wants to begin; undefined for any other datagram. */
export function decodeDiscover(datagram: Uint8Array): bigint | undefined {
  if (datagram.length !== discoverPrefix.length + 16) return undefined;
  const id = discoverPattern.exec(decodeText(datagram) ?? "")?.[1];
  return id === undefined ? undefined : BigInt(`0x${id}`);
}

type Decoder = (view: DataView, body: Uint8Array, transfer: bigint) => ReliableMessage | undefined;

const decoders: Partial<Record<number, Decoder>> = {
  [types.request]: decodeRequest,
  [types.token]: (_view, body, transfer) =>
    body.length === tokenBytes ? { type: "token", transfer, token: body } : undefined,
  [types.song]: decodeSong,
  [types.data]: decodeData,
  [types.ack]: decodeAck,
  [types.end]: (_view, body, transfer) =>
    body.length === digestBytes ? { type: "end", transfer, sha256: body } : undefined,
  [types.close]: (_view, body, transfer) =>
    body.length === 4 ? { type: "close", transfer, complete: body[0] === 0 } : undefined,
  [types.error]: decodeError,
};

const requestNameAt = headerBytes + tokenBytes + 6;
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeRequest(view: DataView, body: Uint8Array, transfer: bigint): RequestMessage | undefined {
  if (view.byteLength < minRequestBytes) return undefined;
  const nameBytes = view.getUint16(requestNameAt - 2, true);
  if (nameBytes === 0 || requestNameAt + nameBytes > view.byteLength) return undefined;
  const name = decodeText(
    body.subarray(requestNameAt - headerBytes, requestNameAt - headerBytes + nameBytes),
  );
  if (name === undefined) return undefined;
  const limit = view.getUint32(requestNameAt - 6, true);
  return { type: "request", transfer, token: body.subarray(0, tokenBytes), limit, name };
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return text.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function decodeSong(view: DataView, body: Uint8Array, transfer: bigint): SongMessage | undefined {
  if (body.length !== 12 + digestBytes) return undefined;
  const size = Number(view.getBigUint64(headerBytes, true));
  const bytes = view.getUint16(headerBytes + 8, true);
  if (!Number.isSafeInteger(size) || bytes < 1 || bytes > blockBytes) return undefined;
  if (size / bytes > 0xffff_ffff) return undefined;
  const isKnown = (view.getUint8(headerBytes + 10) & 1) === 1;
  return { type: "song", transfer, size, blockBytes: bytes, sha256: isKnown ? body.subarray(12) : undefined };
}

function decodeData(view: DataView, body: Uint8Array, transfer: bigint): DataMessage | undefined {
  if (body.length <= 8) return undefined;
  const block = view.getUint32(headerBytes, true);
  const stamp = view.getUint32(headerBytes + 4, true);
  return { type: "data", transfer, block, stamp, bytes: body.subarray(8) };
}

const ackBytes = headerBytes + 20;

function decodeAck(view: DataView, _body: Uint8Array, transfer: bigint): AckMessage | undefined {
  if (view.byteLength < ackBytes) return undefined;
  const count = view.getUint16(ackBytes - 2, true);
  if (count > maxMissingRanges || view.byteLength !== ackBytes + 8 * count) return undefined;
  const next = view.getUint32(headerBytes, true);
  const seen = view.getUint32(headerBytes + 8, true);
  const missing = Array.from({ length: count }, (_, at) => ({
    from: view.getUint32(ackBytes + 8 * at, true),
    to: view.getUint32(ackBytes + 8 * at + 4, true),
  }));
  if (!areApart(missing, next, seen)) return undefined;
  return {
    type: "ack",
    transfer,
    next,
    limit: view.getUint32(headerBytes + 4, true),
    seen,
    stamp: view.getUint32(headerBytes + 12, true),
    heldMs: view.getUint16(headerBytes + 16, true),
    missing,
  };
}

function areApart(ranges: readonly BlockRange[], next: number, seen: number): boolean {
  let min = next;
  for (const { from, to } of ranges) {
    if (from < min || to <= from) return false;
    min = to;
  }
  return ranges.length === 0 || min <= seen;
}

function decodeError(_view: DataView, body: Uint8Array, transfer: bigint): ErrorMessage | undefined {
  if (body.length < 2 || body.length !== 1 + body[0]!) return undefined;
  const code = String.fromCharCode(...body.subarray(1));
  return /^[A-Z_]+$/.test(code) ? { type: "error", transfer, code } : undefined;
}

/** The datagram of a message. Throws a RangeError if the message does not fit. */
export function encodeReliable(message: ReliableMessage): Uint8Array<ArrayBuffer> {
  switch (message.type) {
    case "request":
      return encodeRequest(message);
    case "token":
      return encodeBytes(types.token, message.transfer, message.token, tokenBytes);
    case "song":
      return encodeSong(message);
    case "data":
      return encodeData(message.transfer, message.block, message.stamp, message.bytes);
    case "ack":
      return encodeAck(message);
    case "end":
      return encodeBytes(types.end, message.transfer, message.sha256, digestBytes);
    case "close":
      return encodeBytes(types.close, message.transfer, Uint8Array.of(message.complete ? 0 : 1, 0, 0, 0), 4);
    case "error": {
      const code = new TextEncoder().encode(message.code);
      return encodeBytes(types.error, message.transfer, Uint8Array.of(code.length, ...code), code.length + 1);
    }
  }
}

function open(type: number, transfer: bigint, bytes: number): [Uint8Array<ArrayBuffer>, DataView] {
  if (bytes > maxDatagramBytes) throw new RangeError(`a message of ${bytes} bytes does not fit a datagram`);
  const datagram = new Uint8Array(bytes);
  const view = new DataView(datagram.buffer);
  datagram.set(magic);
  view.setUint8(4, version);
  view.setUint8(5, type);
  view.setBigUint64(8, transfer, true);
  return [datagram, view];
}

function encodeBytes(type: number, transfer: bigint, bytes: Uint8Array, length: number) {
  if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes instead of ${length}`);
  const [datagram] = open(type, transfer, headerBytes + length);
  datagram.set(bytes, headerBytes);
  return datagram;
}

function encodeRequest({ transfer, token, limit, name }: RequestMessage): Uint8Array<ArrayBuffer> {
  const nameBytes = new TextEncoder().encode(name);
  const length = Math.max(minRequestBytes, requestNameAt + nameBytes.length);
  const [datagram, view] = open(types.request, transfer, length);
  datagram.set(token, headerBytes);
  view.setUint32(requestNameAt - 6, limit, true);
  view.setUint16(requestNameAt - 2, nameBytes.length, true);
  datagram.set(nameBytes, requestNameAt);
  return datagram;
}

function encodeSong({ transfer, size, blockBytes, sha256 }: SongMessage): Uint8Array<ArrayBuffer> {
  const [datagram, view] = open(types.song, transfer, headerBytes + 12 + digestBytes);
  view.setBigUint64(headerBytes, BigInt(size), true);
  view.setUint16(headerBytes + 8, blockBytes, true);
  view.setUint8(headerBytes + 10, sha256 === undefined ? 0 : 1);
  if (sha256 !== undefined) datagram.set(sha256, headerBytes + 12);
  return datagram;
}

/** A DATA message. The hot path calls it for every block, without an object. */
export function encodeData(
  transfer: bigint,
  block: number,
  stamp: number,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const [datagram, view] = open(types.data, transfer, dataHeaderBytes + bytes.length);
  view.setUint32(headerBytes, block, true);
  view.setUint32(headerBytes + 4, stamp, true);
  datagram.set(bytes, dataHeaderBytes);
  return datagram;
}

/** Sets the stamp of a DATA message, right before it is sent. */
export function stampData(datagram: Uint8Array, stamp: number): void {
  new DataView(datagram.buffer, datagram.byteOffset).setUint32(headerBytes + 4, stamp, true);
}

function encodeAck(ack: AckMessage): Uint8Array<ArrayBuffer> {
  const [datagram, view] = open(types.ack, ack.transfer, ackBytes + 8 * ack.missing.length);
  view.setUint32(headerBytes, ack.next, true);
  view.setUint32(headerBytes + 4, ack.limit, true);
  view.setUint32(headerBytes + 8, ack.seen, true);
  view.setUint32(headerBytes + 12, ack.stamp, true);
  view.setUint16(headerBytes + 16, Math.min(0xffff, ack.heldMs), true);
  view.setUint16(headerBytes + 18, ack.missing.length, true);
  ack.missing.forEach(({ from, to }, at) => {
    view.setUint32(ackBytes + 8 * at, from, true);
    view.setUint32(ackBytes + 8 * at + 4, to, true);
  });
  return datagram;
}
