/** Decodes the Opus packets of a device to 48 kHz mono PCM16, with libopus in WebAssembly. */
import { OpusDecoder } from "opus-decoder";
import { opusPacketSamples, opusSampleRate } from "../../codec/opus.ts";

/** The sample rate of decoded packets, in Hz. */
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

  /** Decodes one packet to mono samples; undefined if it is not a valid packet. */
  decode(packet: Uint8Array): Int16Array | undefined {
    // The decoder reports most invalid packets on standard error, so check first.
    if (opusPacketSamples(packet) === undefined) return undefined;
    const { channelData, samplesDecoded, errors } = this.#decoder.decodeFrame(packet);
    const [samples] = channelData;
    if (errors.length > 0 || samples === undefined || samplesDecoded === 0) return undefined;
    return Int16Array.from(samples.subarray(0, samplesDecoded), toPcm16);
  }

  /** Frees the decoder's memory. */
  close(): void {
    this.#decoder.free();
  }
}

/** Converts -1 to 1, and clips what a decoder produces beyond. */
function toPcm16(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768)));
}
