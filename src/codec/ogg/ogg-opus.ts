/**
 * Parses Opus in Ogg: the headers and the audio packets of a file.
 *
 * The first packet of a stream is the header below, the second has the tags, all others are audio:
 *
 *     struct {
 *       char magic[8];         // "OpusHead"
 *       u8   version;          // 0..15 are compatible
 *       u8   channels;
 *       u16  preSkip;          // samples at 48 kHz that a decoder drops at the beginning
 *       u32  inputRate;        // of the source; decoders ignore it
 *       i16  gain;             // in 1/256 dB, for the decoder to apply
 *       u8   family;           // 0 mono or stereo; 1 up to 8 channels, of loudspeakers; 2 ambisonics; 255 unrelated
 *       u8   streams;          // this field and the next two for families other than 0
 *       u8   coupledStreams;   // streams of two channels, which come first
 *       u8   mapping[channels];     // the decoded channel of each channel; 255 is silence
 *     }
 *
 * The granule of a page is the number of samples at 48 kHz up to its end, including the pre-skip. Granules may begin at any
 * number, as in a part of a longer broadcast. On the last page the granule may be below the samples of the packets; a decoder
 * then drops the end.
 *
 * A file may consist of several streams, one after the other (chained): here each is a link. Streams of other codecs beside
 * the audio, such as a picture, are skipped. So is a packet that is not Opus: damage costs the damaged part only.
 *
 * Source: RFC 7845, sections 3 to 5.
 */
import { opusPacketSamples } from "../opus.ts";
import { maxOpusLinks } from "../../base/limits/sounds.ts";
import { type OggPage, OggPackets, OggPages } from "./ogg.ts";

/** The channels of this many decode well within the memory of a sound. */
const maxOpusChannels = 32;

export interface OpusHead {
  channels: number;
  /** Samples at 48 kHz. */
  preSkip: number;
  /** In 1/256 dB. */
  gain: number;
  streams: number;
  coupledStreams: number;
  mapping: readonly number[];
  /** Ambisonics: the first channel has the sound from all directions, the others only where it comes from. */
  isAmbisonic: boolean;
}

/** An Ogg/Opus file cannot be read; the message says why. */
export class OggOpusError extends Error {}

/** One of the streams of a file that follow each other. */
export class OpusLink {
  readonly head: OpusHead;
  /** Among the links of the file, from 0. */
  readonly number: number;
  readonly #serial: number;
  readonly #packets = new OggPackets();
  #hasTags = false;
  #pages = 0;
  /** Samples of the packets so far. */
  #samples = 0;
  /** Samples that the last page trims from the end. */
  #trimmed = 0;
  /** The granule that the packets so far imply; undefined before the first granule of audio. */
  #granule: number | undefined;
  /** Samples of the last page with audio. */
  #pageSamples = 0;

  constructor(head: OpusHead, serial: number, number: number) {
    this.head = head;
    this.number = number;
    this.#serial = serial;
  }

  /** Audible samples at 48 kHz so far: without the pre-skip, and without the dropped end. */
  get audibleSamples(): number {
    return Math.max(0, this.#samples - this.#trimmed - this.head.preSkip);
  }

  /** Whether the page belongs to this link. */
  owns(page: OggPage): boolean {
    return page.serial === this.#serial;
  }

  /** Whether only its first page has come: streams that are multiplexed all begin before any of them goes on. */
  get isBeginning(): boolean {
    return this.#pages === 1;
  }

  /** Returns the audio packets that end on the page. */
  push(page: OggPage): Uint8Array[] {
    const packets = this.#packets.push(page).filter((packet) => !this.#isHeader(packet));
    const audio = packets.filter((packet) => opusPacketSamples(packet) !== undefined);
    const pageSamples = audio.reduce((sum, packet) => sum + opusPacketSamples(packet)!, 0);
    this.#pages += 1;
    this.#samples += pageSamples;
    if (pageSamples > 0) {
      // Some writers mark a page as the last, and go on.
      this.#trimmed = 0;
      this.#pageSamples = pageSamples;
    }
    if (page.granule >= 0n) this.#addGranule(Number(page.granule), pageSamples, page.isLast);
    return audio;
  }

  #isHeader(packet: Uint8Array): boolean {
    if (this.#hasTags || this.#samples > 0) return false;
    const magic = textAt(packet, 8);
    this.#hasTags = magic === "OpusTags";
    return this.#hasTags || magic === "OpusHead";
  }

  /**
   * A granule above what the packets imply means that audio is lost. Below it, it trims the end, but only on the last page,
   * and less than one page: anything else is a broken granule.
   */
  #addGranule(granule: number, pageSamples: number, isLast: boolean): void {
    if (pageSamples === 0 && !isLast) return;
    const implied =
      this.#granule === undefined ? Math.max(granule, this.#samples) : this.#granule + pageSamples;
    const excess = implied - granule;
    if (isLast && excess > 0 && excess < this.#pageSamples) this.#trimmed = excess;
    this.#granule = Math.max(implied, granule);
  }
}

/** Audio packets of one link, in order. */
export interface OpusRun {
  link: OpusLink;
  packets: Uint8Array[];
}

/** Parses a file piece by piece; throws an `OggOpusError` if that is impossible. */
export class OggOpusParser {
  readonly links: OpusLink[] = [];
  readonly #pages = new OggPages();
  /** Audible samples of all links but the last. */
  #endedSamples = 0;
  /** Why a stream of the file is no Opus that can be played; undefined if there is none. */
  #problem: string | undefined;

  /** Audible samples at 48 kHz so far, of all links. */
  get audibleSamples(): number {
    return this.#endedSamples + (this.links.at(-1)?.audibleSamples ?? 0);
  }

  /** Parses the next bytes of the file and returns the audio packets that they complete. */
  push(bytes: Uint8Array): OpusRun[] {
    return this.#parse(this.#pages.push(bytes));
  }

  /** The file has ended; returns the packets that are left. Throws if the file has no stream of Opus. */
  end(): OpusRun[] {
    const runs = this.#parse(this.#pages.end());
    if (this.links.length === 0) {
      throw new OggOpusError(this.#problem ?? "the beginning of the Ogg file is missing or damaged");
    }
    return runs;
  }

  #parse(pages: OggPage[]): OpusRun[] {
    const runs: OpusRun[] = [];
    for (const page of pages) {
      const link = page.isFirst ? this.#begin(page) : this.#ownerOf(page);
      const packets = link?.push(page) ?? [];
      if (link !== undefined && packets.length > 0) runs.push({ link, packets });
    }
    return runs;
  }

  /** Streams that begin together are multiplexed: of those the first one of Opus is the audio. */
  #begin(page: OggPage): OpusLink | undefined {
    if (this.links.at(-1)?.isBeginning === true) return undefined;
    const head = parseOpusHead(page.body);
    if (typeof head === "string") {
      this.#problem ??= head;
      return undefined;
    }
    if (this.links.length === maxOpusLinks) throw new OggOpusError("too many streams in the Ogg file");
    this.#endedSamples = this.audibleSamples;
    const link = new OpusLink(head, page.serial, this.links.length);
    this.links.push(link);
    return link;
  }

  #ownerOf(page: OggPage): OpusLink | undefined {
    const link = this.links.at(-1);
    return link?.owns(page) === true ? link : undefined;
  }
}

const headBytes = 19;
const tableAt = 21;
const ambisonicFamily = 2;

function parseOpusHead(packet: Uint8Array): OpusHead | string {
  if (packet.length < headBytes || textAt(packet, 8) !== "OpusHead") return "the Ogg file is not Opus";
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const [version, channels, family] = [view.getUint8(8), view.getUint8(9), view.getUint8(18)];
  if (version > 15) return "an unknown version of Opus in Ogg";
  if (channels === 0 || channels > maxOpusChannels) return `the Opus file has ${channels} channels`;
  const rest = { channels, preSkip: view.getUint16(10, true), gain: view.getInt16(16, true) };
  if (family === 0) {
    if (channels > 2) return "the header of the Opus file is invalid";
    const mapping = channels === 1 ? [0] : [0, 1];
    return { ...rest, streams: 1, coupledStreams: channels - 1, mapping, isAmbisonic: false };
  }
  if (family !== 1 && family !== ambisonicFamily && family !== 255) {
    return `the Opus file has the channel mapping ${family}; supported are 0, 1, 2 and 255`;
  }
  const mapping = [...packet.subarray(tableAt, tableAt + channels)];
  const [streams, coupledStreams] = [packet[headBytes] ?? 0, packet[headBytes + 1] ?? 0];
  const isValid =
    mapping.length === channels &&
    streams > 0 &&
    coupledStreams <= streams &&
    mapping.every((source) => source === 255 || source < streams + coupledStreams);
  if (!isValid) return "the header of the Opus file is invalid";
  return { ...rest, streams, coupledStreams, mapping, isAmbisonic: family === ambisonicFamily };
}

function textAt(packet: Uint8Array, length: number): string {
  return String.fromCharCode(...packet.subarray(0, length));
}
