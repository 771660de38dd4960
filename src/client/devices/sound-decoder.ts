/** Opus packets as a device hears them: 48 kHz mono, by libopus in WebAssembly. */
import { OpusDecoder } from "opus-decoder";
import { opusPacketSamples, opusSampleRate } from "../../codec/opus.ts";

/** Samples a second of what is decoded. */
export const soundSampleRate = opusSampleRate;

export class SoundDecoder {
  readonly #decoder: OpusDecoder;

  private constructor(decoder: OpusDecoder) {
    this.#decoder = decoder;
  }

  static async open(): Promise<SoundDecoder> {
    const decoder = new OpusDecoder({ channels: 1, streamCount: 1, coupledStreamCount: 0, preSkip: 0 });
    await decoder.ready;
    return new SoundDecoder(decoder);
  }

  /** The samples of one packet; undefined if it is none. */
  decode(packet: Uint8Array): Int16Array | undefined {
    // The decoder writes to standard error what it thinks of most packets that are none.
    if (opusPacketSamples(packet) === undefined) return undefined;
    const { channelData, samplesDecoded, errors } = this.#decoder.decodeFrame(packet);
    const [samples] = channelData;
    if (errors.length > 0 || samples === undefined || samplesDecoded === 0) return undefined;
    return Int16Array.from(samples.subarray(0, samplesDecoded), toPcm16);
  }

  /** Gives its memory back. */
  close(): void {
    this.#decoder.free();
  }
}

/** -1 to 1, and what a decoder makes beyond that. */
function toPcm16(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768)));
}
