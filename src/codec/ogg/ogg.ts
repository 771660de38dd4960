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
 * A packet consists of segments of 255 bytes and one shorter segment, and may span pages. The pages of several streams may
 * be multiplexed, and whole streams may follow each other (be chained).
 *
 * Damage costs the damaged pages only: the parser goes on with the next page whose checksum is right, and packets that lack
 * a part are dropped. Bytes that belong to no page, such as tags in front and zeros at the end, are skipped.
 *
 * Source: RFC 3533, section 6.
 */
import { maxOggDamageBytes, maxOggPacketBytes } from "../../base/limits/sounds.ts";

export const oggPageHeaderBytes = 27;

const flagContinued = 1;
export const flagFirst = 2;
export const flagLast = 4;

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
  /** There is no page, which took the checksum of `bytes` bytes to tell. */
  | { kind: "refused"; bytes: number };

/** Parses the page that begins at `source[at]`. Never throws. */
export function parseOggPage(source: Uint8Array, at: number): OggPageResult {
  const rest = source.length - at;
  if (rest < oggPageHeaderBytes) return { kind: "more", bytes: oggPageHeaderBytes };
  const view = new DataView(source.buffer, source.byteOffset + at, rest);
  if (view.getUint32(0) !== 0x4f676753) return refused(0);
  if (view.getUint8(4) !== 0) return refused(0);
  const headBytes = oggPageHeaderBytes + view.getUint8(26);
  if (rest < headBytes) return { kind: "more", bytes: headBytes };
  const lengths = source.subarray(at + oggPageHeaderBytes, at + headBytes);
  const bytes = headBytes + lengths.reduce((sum, length) => sum + length, 0);
  if (rest < bytes) return { kind: "more", bytes };
  if (oggCrc(source, at, bytes) !== view.getUint32(22, true)) return refused(bytes);
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

const capturePattern = Buffer.from("OggS");

/** Finds the pages of a file that is given piece by piece. */
export class OggPages {
  /** Bytes that are not parsed yet. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes of what looked like pages and was none. */
  #damageBytes = 0;

  /**
   * Whether the file has so much damage that parsing ended. Each place that looks like a page is checked by its checksum, so
   * a hostile file of such places would take time without end.
   */
  get isHopeless(): boolean {
    return this.#damageBytes > maxOggDamageBytes;
  }

  /** Returns the pages that these bytes complete, as views of them or of a copy. */
  push(bytes: Uint8Array): OggPage[] {
    return this.#parse(this.#rest.length === 0 ? bytes : concatenated(this.#rest, bytes), false);
  }

  /** The file has ended: returns the pages behind one that is cut off, which may have been none. */
  end(): OggPage[] {
    return this.#parse(this.#rest, true);
  }

  #parse(source: Uint8Array, isEnd: boolean): OggPage[] {
    const search = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
    const pages: OggPage[] = [];
    let at = 0;
    while (!this.isHopeless) {
      const next = search.indexOf(capturePattern, at);
      // The last bytes may be the beginning of a capture pattern.
      if (next < 0) at = Math.max(at, source.length - capturePattern.length + 1);
      if (next < 0) break;
      at = next;
      const result = parseOggPage(source, at);
      if (result.kind === "more" && !isEnd) break;
      if (result.kind === "page") {
        pages.push(result.page);
        at += result.page.bytes;
      } else {
        if (result.kind === "refused") this.#damageBytes += result.bytes;
        at += 1;
      }
    }
    this.#rest = this.isHopeless ? new Uint8Array(0) : source.slice(at);
    return pages;
  }
}

/** Reassembles the packets of one stream. */
export class OggPackets {
  /** The number of the next page; undefined before the first. */
  #nextNumber: number | undefined;
  /** Pieces of a packet that continues on the next page. */
  #open: Uint8Array[] = [];
  #openBytes = 0;
  /** Whether the next segments continue a packet, kept or not. */
  #isContinuing = false;
  /** Whether the beginning of that packet is lost. */
  #isTorn = false;

  /**
   * Returns copies of the packets that end on the page. A packet that lacks a part is dropped. Only the first
   * `maxOggPacketBytes` bytes of a packet are returned.
   */
  push(page: OggPage): Uint8Array[] {
    if (page.number !== this.#nextNumber || page.isContinued !== this.#isContinuing) this.#tear(page);
    this.#nextNumber = (page.number + 1) >>> 0;
    const packets: Uint8Array[] = [];
    let start = 0;
    let end = 0;
    for (const length of page.lengths) {
      end += length;
      this.#isContinuing = length === 255;
      if (this.#isContinuing) continue;
      const packet = this.#finish(page.body.subarray(start, end));
      if (packet !== undefined) packets.push(packet);
      start = end;
    }
    if (this.#isContinuing) this.#keep(page.body.subarray(start, end));
    return packets;
  }

  /** The end of the last packet, or the beginning of the first, is lost. */
  #tear(page: OggPage): void {
    this.#open = [];
    this.#openBytes = 0;
    this.#isContinuing = page.isContinued;
    this.#isTorn = page.isContinued;
  }

  #keep(piece: Uint8Array): void {
    const kept = piece.slice(0, maxOggPacketBytes - this.#openBytes);
    this.#open.push(kept);
    this.#openBytes += kept.length;
  }

  #finish(piece: Uint8Array): Uint8Array | undefined {
    const packet = this.#isTorn ? undefined : this.#joined(piece);
    this.#open = [];
    this.#openBytes = 0;
    this.#isTorn = false;
    return packet;
  }

  #joined(piece: Uint8Array): Uint8Array {
    const last = piece.subarray(0, maxOggPacketBytes - this.#openBytes);
    const packet = new Uint8Array(this.#openBytes + last.length);
    let at = 0;
    for (const part of this.#open) {
      packet.set(part, at);
      at += part.length;
    }
    packet.set(last, at);
    return packet;
  }
}

export const crcOffset = 22;
const crcTable = makeCrcTable();

/** The checksum of the page at `source[at]`, with its checksum field as zero. */
export function oggCrc(source: Uint8Array, at: number, bytes: number): number {
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

function refused(bytes: number): OggPageResult {
  return { kind: "refused", bytes };
}

function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
