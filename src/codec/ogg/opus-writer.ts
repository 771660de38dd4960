/**
 * Writes Opus in Ogg, mono, as a stream without an end in sight (ogg.ts and ogg-opus.ts have both formats). A page holds
 * a few packets, so that a player gets them soon.
 *
 * The audio begins in the middle of what was encoded: a decoder needs some packets until its state is that of the encoder,
 * and drops what it has decoded by then, the pre-skip.
 *
 * Source: RFC 3533, section 6; RFC 7845, sections 4 and 5.
 */
import { opusFrameSamples, opusSampleRate } from "../opus.ts";
import { crcOffset, flagFirst, flagLast, oggCrc, oggPageHeaderBytes } from "./ogg.ts";

/** Samples at 48 kHz after which a decoder that begins anywhere is right: 80 ms, as RFC 7845 recommends. */
export const opusJoinSamples = 3840;

/** A packet of 255 bytes or more takes another segment, and a page has 255 of them. */
const maxPageSegments = 255;
const vendor = "wavecache";
const encoder = new TextEncoder();

export class OpusWriter {
  readonly #serial: number;
  #pages = 0;
  #samples = 0;

  /** `serial` is a random u32. */
  constructor(serial: number) {
    this.#serial = serial;
  }

  /** The pages in front of the audio. */
  head(): Uint8Array[] {
    return [this.#page([headPacket()], flagFirst), this.#page([tagsPacket()], 0)];
  }

  /** A page with packets of 20 ms each; at most 255 segments of 255 bytes. */
  page(packets: readonly Uint8Array[]): Uint8Array {
    this.#samples += packets.length * opusFrameSamples;
    return this.#page(packets, 0);
  }

  /** The page that ends the stream; it has no audio. */
  end(): Uint8Array {
    return this.#page([], flagLast);
  }

  #page(packets: readonly Uint8Array[], flags: number): Uint8Array {
    const lengths = packets.flatMap(segmentsOf);
    if (lengths.length > maxPageSegments) throw new RangeError("too many segments for a page");
    const headBytes = oggPageHeaderBytes + lengths.length;
    const page = new Uint8Array(headBytes + packets.reduce((sum, packet) => sum + packet.length, 0));
    const view = new DataView(page.buffer);
    page.set(encoder.encode("OggS"));
    view.setUint8(5, flags);
    view.setBigInt64(6, BigInt(this.#samples), true);
    view.setUint32(14, this.#serial, true);
    view.setUint32(18, this.#pages++, true);
    view.setUint8(26, lengths.length);
    page.set(lengths, oggPageHeaderBytes);
    let at = headBytes;
    for (const packet of packets) {
      page.set(packet, at);
      at += packet.length;
    }
    view.setUint32(crcOffset, oggCrc(page, 0, page.length), true);
    return page;
  }
}

function segmentsOf({ length }: Uint8Array): number[] {
  return [...Array<number>(Math.floor(length / 255)).fill(255), length % 255];
}

function headPacket(): Uint8Array {
  const packet = new Uint8Array(19);
  const view = new DataView(packet.buffer);
  packet.set(encoder.encode("OpusHead"));
  view.setUint8(8, 1);
  view.setUint8(9, 1);
  view.setUint16(10, opusJoinSamples, true);
  view.setUint32(12, opusSampleRate, true);
  return packet;
}

function tagsPacket(): Uint8Array {
  const name = encoder.encode(vendor);
  const packet = new Uint8Array(16 + name.length);
  packet.set(encoder.encode("OpusTags"));
  new DataView(packet.buffer).setUint32(8, name.length, true);
  packet.set(name, 12);
  return packet;
}
