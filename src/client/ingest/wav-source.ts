/** A WAV file of any encoding, read as PCM16 from any sample on. */
import { convertToPcm16 } from "../../codec/wav-samples.ts";
import { parseWavHead, type WavFormat } from "../../codec/wav.ts";
import { ClientError } from "../errors.ts";
import { KiB } from "../../base/limits/units.ts";
import type { AudioSource } from "../audio-source.ts";

const firstHeadBytes = 4 * KiB;

export class WavSource {
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples a channel. */
  readonly samples: number;
  readonly #source: AudioSource;
  readonly #format: WavFormat;

  private constructor(source: AudioSource, format: WavFormat) {
    this.#source = source;
    this.#format = format;
    this.sampleRate = format.sampleRate;
    this.channels = format.channels;
    const dataBytes = format.dataBytes ?? source.sizeBytes - format.dataAt;
    this.samples = Math.floor(dataBytes / format.frameBytes);
  }

  /** Reads the head of the file; throws BAD_AUDIO with what is wrong with it. */
  static async open(source: AudioSource): Promise<WavSource> {
    let length = Math.min(firstHeadBytes, source.sizeBytes);
    for (;;) {
      const head = parseWavHead(await source.read(0, length), source.sizeBytes);
      if (head.kind === "refused") throw new ClientError("BAD_AUDIO", head.reason);
      if (head.kind === "format") return new WavSource(source, head.format);
      length = Math.min(head.bytes, source.sizeBytes);
    }
  }

  /** Reads `count` samples a channel from number `first` on, interleaved, to `out[outAt]` on. One call at a time. */
  async read(first: number, count: number, out: Int16Array, outAt: number): Promise<void> {
    const { encoding, frameBytes, dataAt } = this.#format;
    const bytes = await this.#source.read(dataAt + first * frameBytes, count * frameBytes);
    if (bytes.length < count * frameBytes) {
      throw new ClientError("SOURCE_CHANGED", `it ends in sample ${first + count} or before`);
    }
    convertToPcm16(bytes, 0, count * this.channels, encoding, out, outAt);
  }
}
