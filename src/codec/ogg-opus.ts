/**
 * Parses Opus in Ogg: the header and the audio packets of a file.
 *
 * The first packet is the header below, the second has the tags, all others are audio:
 *
 *     struct {
 *       char magic[8];         // "OpusHead"
 *       u8   version;          // 0..15 are compatible
 *       u8   channels;
 *       u16  preSkip;          // samples at 48 kHz that a decoder drops at the beginning
 *       u32  inputRate;        // of the source; decoders ignore it
 *       i16  gain;             // in 1/256 dB, for the decoder to apply
 *       u8   family;           // 0 mono or stereo; others have a channel table and are refused here
 *     }
 *
 * The granule of a page is the number of samples at 48 kHz up to its end, including the pre-skip. On the last page it may
 * be below the samples of the packets; a decoder then drops the end.
 *
 * Source: RFC 7845, sections 4 and 5.
 */
import { opusPacketSamples } from "./opus.ts";
import { OggPackets, parseOggPage } from "./ogg.ts";

export interface OpusHead {
  channels: 1 | 2;
  /** Samples at 48 kHz. */
  preSkip: number;
  /** In 1/256 dB. */
  gain: number;
}

/** An Ogg/Opus file cannot be read; the message says why. */
export class OggOpusError extends Error {}

/** Parses a file piece by piece; throws an `OggOpusError` if that is impossible. */
export class OggOpusParser {
  readonly #packets = new OggPackets();
  /** The bytes of an incomplete page. */
  #rest: Uint8Array = new Uint8Array(0);
  #head: OpusHead | undefined;
  #hasTags = false;
  #isOver = false;
  /** Samples of the packets so far. */
  #samples = 0;
  /** The granule before the first packet; above 0 if the file was cut out of a longer stream. */
  #origin: number | undefined;
  #lastGranule = 0;

  /** The header of the file, once it has been parsed. */
  get head(): OpusHead | undefined {
    return this.#head;
  }

  /** Audible samples at 48 kHz so far: without the pre-skip, and without the dropped end. */
  get audibleSamples(): number {
    const origin = this.#origin ?? 0;
    const end = this.#isOver ? Math.min(this.#samples, this.#lastGranule - origin) : this.#samples;
    return Math.max(0, end - (this.#head?.preSkip ?? 0));
  }

  /** Parses the next bytes of the file and returns the audio packets that they complete. */
  push(bytes: Uint8Array): Uint8Array[] {
    const source = this.#rest.length === 0 ? bytes : concatenated(this.#rest, bytes);
    const audio: Uint8Array[] = [];
    let at = 0;
    while (at < source.length) {
      const result = parseOggPage(source, at);
      if (result.kind === "more") break;
      if (result.kind === "refused") throw new OggOpusError(result.reason);
      if (this.#isOver) throw new OggOpusError("more than one stream in the Ogg file");
      const { page } = result;
      const packets = this.#packets.push(page);
      if (typeof packets === "string") throw new OggOpusError(packets);
      const before = this.#samples;
      for (const packet of packets) if (this.#addPacket(packet)) audio.push(packet);
      this.#addGranule(page.granule, this.#samples - before);
      this.#isOver = page.isLast;
      at += page.bytes;
    }
    this.#rest = source.slice(at);
    return audio;
  }

  /** Whether the packet is audio. */
  #addPacket(packet: Uint8Array): boolean {
    if (this.#head === undefined) {
      this.#head = parseOpusHead(packet);
    } else if (!this.#hasTags) {
      if (textAt(packet, 8) !== "OpusTags") throw new OggOpusError("the Opus file has no tags");
      this.#hasTags = true;
    } else {
      const samples = opusPacketSamples(packet);
      if (samples === undefined) throw new OggOpusError("a packet that is not Opus");
      this.#samples += samples;
      return true;
    }
    return false;
  }

  #addGranule(granule: bigint, pageSamples: number): void {
    if (pageSamples === 0 || granule < 0n || granule > BigInt(Number.MAX_SAFE_INTEGER)) return;
    this.#lastGranule = Number(granule);
    this.#origin ??= Math.max(0, this.#lastGranule - this.#samples);
  }
}

function parseOpusHead(packet: Uint8Array): OpusHead {
  if (packet.length < 19 || textAt(packet, 8) !== "OpusHead")
    throw new OggOpusError("the Ogg file is not Opus");
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const channels = view.getUint8(9);
  if (view.getUint8(8) > 15) throw new OggOpusError("an unknown version of Opus in Ogg");
  if (view.getUint8(18) !== 0 || (channels !== 1 && channels !== 2)) {
    throw new OggOpusError("the Opus file has more than two channels");
  }
  return { channels, preSkip: view.getUint16(10, true), gain: view.getInt16(16, true) };
}

function textAt(packet: Uint8Array, length: number): string {
  return String.fromCharCode(...packet.subarray(0, length));
}

function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
