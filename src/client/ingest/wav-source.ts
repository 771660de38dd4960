/** A WAV file of any supported encoding, read as PCM16 at any sample. */
import { probeAudio } from "../../codec/probe.ts";
import { decodeWavFrames, wavFrameSamples, wavSamples } from "../../codec/wav/samples.ts";
import { type WavFormat, WavHeadParser } from "../../codec/wav/wav.ts";
import { ClientError } from "../errors.ts";
import { KiB } from "../../base/limits/units.ts";
import type { AudioSource } from "../audio-source.ts";

/** The first read of a head, and how far reads grow where chunks are small. */
const minHeadBytes = 4 * KiB;
const maxHeadBytes = 64 * KiB;

export class WavSource {
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples per channel. */
  readonly samples: number;
  readonly #source: AudioSource;
  readonly #format: WavFormat;
  readonly #dataBytes: number;

  private constructor(source: AudioSource, format: WavFormat) {
    this.#source = source;
    this.#format = format;
    this.sampleRate = format.sampleRate;
    this.channels = format.channels;
    this.#dataBytes = format.dataBytes ?? source.sizeBytes - format.dataAt;
    this.samples = wavSamples(format, this.#dataBytes);
  }

  /** Reads the header. Throws BAD_AUDIO with the reason if the file is not supported. */
  static async open(source: AudioSource): Promise<WavSource> {
    const read = (at: number, bytes: number) =>
      source.read(at, Math.max(0, Math.min(bytes, source.sizeBytes - at)));
    const parser = new WavHeadParser(source.sizeBytes);
    for (let at = 0, bytes = minHeadBytes; ; bytes = Math.min(2 * bytes, maxHeadBytes)) {
      const head = parser.parse(await read(at, bytes), at);
      if (head.kind === "format") return new WavSource(source, head.format);
      if (head.kind === "refused") {
        const { format = "audio/wav" } = await probeAudio(read);
        const isOther = format !== "audio/wav";
        throw new ClientError("BAD_AUDIO", isOther ? `not a WAV file, but ${format}` : head.reason);
      }
      if (head.kind === "mpeg") throw new ClientError("BAD_AUDIO", "the WAV file contains MP3");
      at = head.at;
    }
  }

  /**
   * Reads `count` samples per channel from sample `first`, interleaved, into `out` from index `outAt`. Only one call may
   * be pending. Throws SOURCE_CHANGED if the file has shrunk.
   */
  async read(first: number, count: number, out: Int16Array, outAt: number): Promise<void> {
    const { frameBytes, dataAt } = this.#format;
    const frameSamples = wavFrameSamples(this.#format);
    const firstFrame = Math.floor(first / frameSamples);
    const endFrame = Math.ceil((first + count) / frameSamples);
    const from = firstFrame * frameBytes;
    const wanted = Math.min(endFrame * frameBytes, this.#dataBytes) - from;
    const bytes = await this.#source.read(dataAt + from, wanted);
    if (bytes.length < wanted) {
      throw new ClientError("SOURCE_CHANGED", `it ends before sample ${first + count}`);
    }
    const skipped = (first - firstFrame * frameSamples) * this.channels;
    const pcm = decodeWavFrames(bytes, this.#format);
    out.set(pcm.subarray(skipped, skipped + count * this.channels), outAt);
  }
}
