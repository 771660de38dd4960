/** A WAV file of any supported encoding, read as PCM16 at any sample. */
import { convertToPcm16 } from "../../codec/wav-samples.ts";
import { parseWavHead, type WavFormat } from "../../codec/wav.ts";
import { ClientError } from "../errors.ts";
import { KiB } from "../../base/limits/units.ts";
import type { AudioSource } from "../audio-source.ts";

const firstHeadBytes = 4 * KiB;

export class WavSource {
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples per channel. */
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

  /** Reads the header. Throws BAD_AUDIO with the reason if the file is not supported. */
  static async open(source: AudioSource): Promise<WavSource> {
    let length = Math.min(firstHeadBytes, source.sizeBytes);
    for (;;) {
      const head = parseWavHead(await source.read(0, length), source.sizeBytes);
      if (head.kind === "refused") throw new ClientError("BAD_AUDIO", head.reason);
      if (head.kind === "format") return new WavSource(source, head.format);
      length = Math.min(head.bytes, source.sizeBytes);
    }
  }

  /**
   * Reads `count` samples per channel from sample `first`, interleaved, into `out` from index `outAt`. Only one call may
   * be pending. Throws SOURCE_CHANGED if the file has shrunk.
   */
  async read(first: number, count: number, out: Int16Array, outAt: number): Promise<void> {
    const { encoding, frameBytes, dataAt } = this.#format;
    const bytes = await this.#source.read(dataAt + first * frameBytes, count * frameBytes);
    if (bytes.length < count * frameBytes) {
      throw new ClientError("SOURCE_CHANGED", `it ends before sample ${first + count}`);
    }
    convertToPcm16(bytes, 0, count * this.channels, encoding, out, outAt);
  }
}
