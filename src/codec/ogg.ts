/**
 * Parses Ogg pages and the packets in them.
 *
 * -- Format (all numbers little-endian)
 *
 *     struct {
 *       char magic[4];         // "OggS"
 *       u8   version;          // 0
 *       u8   flags;            // 1 continues a packet of the page before, 2 first page, 4 last page
 *       u64  granule;          // position at the end of the last packet that ends here; all ones if none does
 *       u32  serial;           // of the stream
 *       u32  number;           // of the page in its stream
 *       u32  crc;              // of the page with zeros here: polynomial 0x04C11DB7, initial 0, not reflected
 *       u8   segments;
 *       u8   lengths[segments];
 *       u8   bytes[];          // the sum of the lengths
 *     } pages[];
 *
 * A packet consists of segments of 255 bytes and one shorter segment, and may span pages. This parser accepts one stream
 * per file: it refuses multiplexed and chained streams, and missing or damaged pages.
 *
 * Source: RFC 3533, section 6.
 */
import { maxOggPacketBytes } from "../base/limits/sounds.ts";

export const oggPageHeaderBytes = 27;

const flagContinued = 1;
const flagFirst = 2;
const flagLast = 4;

export interface OggPage {
  /** The page begins with the rest of a packet of the page before. */
  isContinued: boolean;
  isFirst: boolean;
  isLast: boolean;
  /** -1 if no packet ends on the page. */
  granule: bigint;
  serial: number;
  number: number;
  /** Lengths of the segments, and all their bytes: views of the source. */
  lengths: Uint8Array;
  body: Uint8Array;
  /** Of the whole page. */
  bytes: number;
}

export type OggPageResult =
  | { kind: "page"; page: OggPage }
  /** The page needs this many bytes from `at` on. */
  | { kind: "more"; bytes: number }
  | { kind: "refused"; reason: string };

/** Parses the page that begins at `source[at]`. Never throws. */
export function parseOggPage(source: Uint8Array, at: number): OggPageResult {
  const rest = source.length - at;
  if (rest < oggPageHeaderBytes) return { kind: "more", bytes: oggPageHeaderBytes };
  const view = new DataView(source.buffer, source.byteOffset + at, rest);
  if (view.getUint32(0) !== 0x4f676753) return refused("no Ogg page where one should begin");
  if (view.getUint8(4) !== 0) return refused("an unknown version of Ogg");
  const headBytes = oggPageHeaderBytes + view.getUint8(26);
  if (rest < headBytes) return { kind: "more", bytes: headBytes };
  const lengths = source.subarray(at + oggPageHeaderBytes, at + headBytes);
  const bytes = headBytes + lengths.reduce((sum, length) => sum + length, 0);
  if (rest < bytes) return { kind: "more", bytes };
  if (oggCrc(source, at, bytes) !== view.getUint32(22, true)) return refused("a damaged Ogg page");
  const flags = view.getUint8(5);
  const page: OggPage = {
    isContinued: (flags & flagContinued) !== 0,
    isFirst: (flags & flagFirst) !== 0,
    isLast: (flags & flagLast) !== 0,
    granule: view.getBigInt64(6, true),
    serial: view.getUint32(14, true),
    number: view.getUint32(18, true),
    lengths,
    body: source.subarray(at + headBytes, at + bytes),
    bytes,
  };
  return { kind: "page", page };
}

/** Reassembles the packets of one stream. */
export class OggPackets {
  #next: { serial: number; number: number } | undefined;
  /** Pieces of a packet that continues on the next page. */
  #open: Uint8Array[] = [];
  #openBytes = 0;
  #isContinuing = false;

  /** Returns copies of the packets that end on the next page, or a text that says why the stream is refused. */
  push(page: OggPage): Uint8Array[] | string {
    const problem = this.#problemWith(page);
    if (problem !== undefined) return problem;
    this.#next = { serial: page.serial, number: (page.number + 1) >>> 0 };
    const packets: Uint8Array[] = [];
    let start = 0;
    let end = 0;
    for (const length of page.lengths) {
      end += length;
      this.#isContinuing = length === 255;
      if (this.#openBytes + end - start > maxOggPacketBytes) return "an Ogg packet is too long";
      if (this.#isContinuing) continue;
      packets.push(this.#finish(page.body.subarray(start, end)));
      start = end;
    }
    if (this.#isContinuing) this.#keep(page.body.subarray(start, end));
    return packets;
  }

  #problemWith(page: OggPage): string | undefined {
    if (this.#next === undefined) {
      return page.isFirst && !page.isContinued ? undefined : "the first Ogg page is missing";
    }
    if (page.isFirst || page.serial !== this.#next.serial) return "more than one stream in the Ogg file";
    if (page.number !== this.#next.number) return "an Ogg page is missing";
    if (page.isContinued !== this.#isContinuing) return "a packet of the Ogg file is truncated";
    return undefined;
  }

  #keep(piece: Uint8Array): void {
    this.#open.push(piece.slice());
    this.#openBytes += piece.length;
  }

  #finish(piece: Uint8Array): Uint8Array {
    const packet = new Uint8Array(this.#openBytes + piece.length);
    let at = 0;
    for (const part of this.#open) {
      packet.set(part, at);
      at += part.length;
    }
    packet.set(piece, at);
    this.#open = [];
    this.#openBytes = 0;
    return packet;
  }
}

const crcOffset = 22;
const crcTable = makeCrcTable();

/** The checksum of the page at `source[at]`, with its checksum field as zero. */
function oggCrc(source: Uint8Array, at: number, bytes: number): number {
  let crc = crcOf(source, at, at + crcOffset, 0);
  for (let zero = 0; zero < 4; zero++) crc = (crc << 8) ^ crcTable[crc >>> 24]!;
  return crcOf(source, at + crcOffset + 4, at + bytes, crc) >>> 0;
}

function crcOf(source: Uint8Array, from: number, to: number, initial: number): number {
  let crc = initial;
  for (let at = from; at < to; at++) crc = (crc << 8) ^ crcTable[(crc >>> 24) ^ source[at]!]!;
  return crc;
}

function makeCrcTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
    return crc;
  });
}

function refused(reason: string): OggPageResult {
  return { kind: "refused", reason };
}
