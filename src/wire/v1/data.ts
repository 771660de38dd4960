/**
 * DATA and CREDIT, which are frequent enough for a coder of their own. Encoded here, the header of DATA has a fixed
 * length; when decoded, a number may have any of its MessagePack forms.
 *
 *     95           array of 5
 *     08           DATA
 *     cd uuuu      channel, u16
 *     cf u*16      offset, u64
 *     ce u*8       CRC-32, u32, or c0 (nil)
 *     c6 u*8       length of the payload, u32
 *     payload
 */
import { maxChannelNumber, maxCreditBytes, maxDataBytes } from "../../base/limits/v1.ts";
import { type Credit, type Data, messageTypes } from "./messages.ts";

/** Bytes of the header: with a CRC, and without. */
export const dataHeadBytes = 24;
export const plainDataHeadBytes = 20;

const array3 = 0x93;
const array5 = 0x95;
const nil = 0xc0;
const two32 = 2 ** 32;

/**
 * Writes the header of a DATA message at `bytes[at]`; the payload follows right behind it. Returns the length of the
 * header: `dataHeadBytes`, or `plainDataHeadBytes` without a CRC.
 */
export function writeDataHead(
  bytes: Uint8Array,
  at: number,
  channel: number,
  offset: number,
  crc: number | undefined,
  payloadBytes: number,
): number {
  bytes[at] = array5;
  bytes[at + 1] = messageTypes.DATA;
  bytes[at + 2] = 0xcd;
  bytes[at + 3] = channel >>> 8;
  bytes[at + 4] = channel;
  bytes[at + 5] = 0xcf;
  writeU32(bytes, at + 6, Math.floor(offset / two32));
  writeU32(bytes, at + 10, offset >>> 0);
  let next = at + 14;
  if (crc === undefined) bytes[next++] = nil;
  else {
    bytes[next] = 0xce;
    writeU32(bytes, next + 1, crc);
    next += 5;
  }
  bytes[next] = 0xc6;
  writeU32(bytes, next + 1, payloadBytes);
  return next + 5 - at;
}

/** A whole DATA message, with a copy of the payload. */
export function encodeData(data: Omit<Data, "type">): Uint8Array<ArrayBuffer> {
  const { channel, offset, crc, payload } = data;
  const headBytes = crc === undefined ? plainDataHeadBytes : dataHeadBytes;
  const message = new Uint8Array(headBytes + payload.length);
  writeDataHead(message, 0, channel, offset, crc, payload.length);
  message.set(payload, headBytes);
  return message;
}

/** Whether a frame begins like a DATA message without extra elements. */
export function looksLikeData(frame: Uint8Array): boolean {
  return frame.length > 2 && frame[0] === array5 && frame[1] === messageTypes.DATA;
}

/** Decodes a frame that `looksLikeData`; undefined if a field is malformed. */
export function decodeData(frame: Uint8Array): Data | undefined {
  const reader = new HeadReader(frame, 2);
  const channel = reader.uint();
  const offset = reader.uint();
  const crc = reader.uintOrNil();
  const length = reader.binLength();
  // An unreadable number is NaN, and every comparison with NaN is false.
  const holds =
    channel >= 1 &&
    channel <= maxChannelNumber &&
    offset <= Number.MAX_SAFE_INTEGER &&
    (crc === undefined || crc < two32) &&
    length >= 1 &&
    length <= maxDataBytes &&
    reader.at + length === frame.length;
  if (!holds) return undefined;
  return { type: "DATA", channel, offset, crc, payload: frame.subarray(reader.at) };
}

/** Decodes a valid CREDIT without extra elements; undefined for any other frame, which the general decoder handles. */
export function decodeCredit(frame: Uint8Array): Credit | undefined {
  if (frame[0] !== array3 || frame[1] !== messageTypes.CREDIT) return undefined;
  const reader = new HeadReader(frame, 2);
  const channel = reader.uint();
  const bytes = reader.uint();
  const holds =
    channel <= maxChannelNumber && bytes >= 1 && bytes <= maxCreditBytes && reader.at === frame.length;
  return holds ? { type: "CREDIT", channel, bytes } : undefined;
}

/** Reads numbers in any MessagePack form; NaN for any other value, and behind the end. */
class HeadReader {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  uint(): number {
    const form = this.#big(1);
    if (form <= 0x7f) return form;
    switch (form) {
      case 0xcc:
        return this.#big(1);
      case 0xcd:
        return this.#big(2);
      case 0xce:
        return this.#big(4);
      case 0xcf: {
        const high = this.#big(4);
        return high * two32 + this.#big(4);
      }
      default:
        return Number.NaN;
    }
  }

  uintOrNil(): number | undefined {
    if (this.#bytes[this.at] !== nil) return this.uint();
    this.at += 1;
    return undefined;
  }

  binLength(): number {
    switch (this.#big(1)) {
      case 0xc4:
        return this.#big(1);
      case 0xc5:
        return this.#big(2);
      case 0xc6:
        return this.#big(4);
      default:
        return Number.NaN;
    }
  }

  #big(count: number): number {
    const end = this.at + count;
    if (end > this.#bytes.length) return Number.NaN;
    let value = 0;
    while (this.at < end) value = value * 256 + this.#bytes[this.at++]!;
    return value;
  }
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
