import { OpusDecoder } from "opus-decoder";
import { WavecacheError } from "../../../src/base/errors.ts";
import { maxSoundMs } from "../../../src/base/limits/sounds.ts";
import { KiB } from "../../../src/base/limits/units.ts";
import { OggOpusError, OggOpusParser, type OpusHead, type OpusRun } from "../../../src/codec/ogg/ogg-opus.ts";
import { isPlainOpusPacket, opusFrameSamples, opusSampleRate } from "../../../src/codec/opus.ts";
import type { EncodingPace } from "./encoding-pace.ts";
import { mixPlanes, type MonoAudio, type MonoPiece } from "./mono-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

/** A few seconds of speech; more where no audio is found. */
const pieceBytes = 8 * KiB;
const gapPieceBytes = 64 * KiB;
/** Packets that are decoded in one step. */
const maxPacketsPerStep = 25;
/** Bytes of a packet that the decoder has room for, for each channel; it throws at a longer one. */
const maxPacketBytes = 3_840;

/** Facts about a whole Ogg/Opus file. */
export interface OpusFile {
  /** Audible samples of each link, at 48 kHz. */
  linkSamples: number[];
  /** The number of packets that can be sent to devices as they are; undefined if the file needs transcoding. */
  plainPackets: number | undefined;
}

/** Parses every packet of the file, and decodes none. Throws SOUND_UNREADABLE, SOUND_TOO_LONG or CancelledError. */
export async function inspectOpus(
  file: SoundSourceFile,
  pace: EncodingPace,
  maxMs: number = maxSoundMs,
): Promise<OpusFile> {
  const parser = new OggOpusParser();
  let packets = 0;
  let arePlain = true;
  for await (const run of opusRuns(file, pace, parser)) {
    packets += run.packets.length;
    arePlain &&= run.packets.every(isPlainOpusPacket);
    if (parser.audibleSamples > (maxMs / 1000) * opusSampleRate) {
      throw new WavecacheError("SOUND_TOO_LONG");
    }
  }
  if (packets === 0) throw new WavecacheError("SOUND_UNREADABLE", "no Opus audio in it");
  const { links } = parser;
  const linkSamples = links.map((link) => link.audibleSamples);
  return { linkSamples, plainPackets: arePlain ? plainPackets(links, packets) : undefined };
}

/**
 * A device plays the pre-skip too, and the last packet to its end. Packets pass unchanged if that adds no more than the
 * pre-skip and the padding of any encoder, or one packet where the file is trimmed by more. Packets beyond the end are left
 * out. Packets in front cannot be, because the decoder needs them.
 */
function plainPackets(links: OggOpusParser["links"], packets: number): number | undefined {
  const [link, ...others] = links;
  if (link === undefined || others.length > 0) return undefined;
  const { channels, gain, preSkip } = link.head;
  if (channels !== 1 || gain !== 0 || preSkip >= opusFrameSamples) return undefined;
  const needed = Math.ceil((preSkip + link.audibleSamples) / opusFrameSamples);
  if (needed >= packets) return packets;
  return needed * opusFrameSamples - link.audibleSamples <= opusFrameSamples ? needed : undefined;
}

/** The first packets of the file, unchanged, in batches. */
export async function* opusPackets(
  file: SoundSourceFile,
  maxPackets: number,
  pace: EncodingPace,
): AsyncGenerator<Uint8Array[], void, void> {
  let left = maxPackets;
  for await (const { packets } of opusRuns(file, pace)) {
    if (left > 0) yield packets.slice(0, left);
    left -= packets.length;
  }
}

async function* opusRuns(
  file: SoundSourceFile,
  pace: EncodingPace,
  parser = new OggOpusParser(),
): AsyncGenerator<OpusRun, void, void> {
  let wanted = pieceBytes;
  for (let at = 0; at < file.size;) {
    const bytes = file.read(at, wanted);
    at += bytes.length;
    const runs = unlessUnreadable(() => parser.push(bytes));
    wanted = runs.length > 0 ? pieceBytes : gapPieceBytes;
    yield* runs;
    await pace.stepOver(bytes.length, runs.length > 0);
  }
  yield* unlessUnreadable(() => parser.end());
}

function unlessUnreadable<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof OggOpusError) throw new WavecacheError("SOUND_UNREADABLE", error.message);
    throw error;
  }
}

/** Decodes the file; `opus` comes from `inspectOpus`. */
export function openOpus(file: SoundSourceFile, opus: OpusFile, pace: EncodingPace): MonoAudio {
  return new OpusAudio(file, opus, pace);
}

class OpusAudio implements MonoAudio {
  readonly #runs: AsyncGenerator<OpusRun, void, void>;
  readonly #pace: EncodingPace;
  /** Audible samples of the links that have not begun. */
  readonly #linkSamples: number[];
  /** Packets of the current link that are not decoded yet. */
  #packets: Uint8Array[] = [];
  /** The number of the current link. */
  #number: number | undefined;
  #decoder: LinkDecoder | undefined;

  constructor(file: SoundSourceFile, { linkSamples }: OpusFile, pace: EncodingPace) {
    this.#runs = opusRuns(file, pace);
    this.#pace = pace;
    this.#linkSamples = [...linkSamples];
  }

  async read(): Promise<MonoPiece | undefined> {
    while (this.#packets.length > 0 || (await this.#next())) {
      await this.#pace.step();
      const samples = this.#decoder!.decode(this.#packets.splice(0, maxPacketsPerStep));
      if (samples.length > 0) return { samples, sampleRate: opusSampleRate };
    }
    return undefined;
  }

  free(): void {
    this.#decoder?.free();
    this.#decoder = undefined;
  }

  /** Takes the next packets, and a decoder for their link. False at the end. */
  async #next(): Promise<boolean> {
    const { value: run, done } = await this.#runs.next();
    if (done === true) return false;
    if (run.link.number !== this.#number) {
      this.free();
      this.#number = run.link.number;
      this.#decoder = await LinkDecoder.open(run.link.head, this.#linkSamples[this.#number] ?? 0);
    }
    this.#packets = run.packets;
    return true;
  }
}

/** Decodes the packets of one link to mono, and cuts off what is not audible. */
class LinkDecoder {
  readonly #decoder: OpusDecoder;
  readonly #head: OpusHead;
  readonly #gain: number;
  /** Samples still to drop, and samples still to return after that. */
  #toSkip: number;
  #toReturn: number;

  private constructor(decoder: OpusDecoder, head: OpusHead, samples: number) {
    this.#decoder = decoder;
    this.#head = head;
    this.#gain = 10 ** (head.gain / 256 / 20);
    this.#toSkip = head.preSkip;
    this.#toReturn = samples;
  }

  static async open(head: OpusHead, samples: number): Promise<LinkDecoder> {
    // The room that the decoder has for a packet depends on the channels; that of one is too short for some packets.
    const mapping = head.channels === 1 ? [head.mapping[0]!, head.mapping[0]!] : [...head.mapping];
    const decoder = new OpusDecoder({
      channels: mapping.length,
      streamCount: head.streams,
      coupledStreamCount: head.coupledStreams,
      channelMappingTable: mapping,
      preSkip: 0,
    });
    await decoder.ready;
    return new LinkDecoder(decoder, head, samples);
  }

  decode(packets: readonly Uint8Array[]): Float32Array {
    const maxBytes = maxPacketBytes * Math.max(2, this.#head.channels);
    const { channelData } = this.#decoder.decodeFrames(packets.filter(({ length }) => length <= maxBytes));
    const samples = this.#head.isAmbisonic ? channelData[0]! : mixPlanes(channelData);
    const audible = this.#audible(samples);
    return this.#gain === 1 ? audible : audible.map((sample) => sample * this.#gain);
  }

  free(): void {
    this.#decoder.free();
  }

  #audible(samples: Float32Array): Float32Array {
    const from = Math.min(this.#toSkip, samples.length);
    this.#toSkip -= from;
    const audible = samples.subarray(from, from + this.#toReturn);
    this.#toReturn -= audible.length;
    return audible;
  }
}
