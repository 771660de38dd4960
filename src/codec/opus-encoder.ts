/**
 * Opus encoding by libopus 1.4, compiled to WebAssembly (package opusscript).
 *
 * This file replaces the package's own wrapper, which writes its input to twice the allocated address. With several
 * encoders that is the memory of another encoder. Here each encoder has its own buffers.
 */
import instantiate from "opusscript/build/opusscript_native_wasm.js";
import { opusFrameSamples, opusSampleRate } from "./opus.ts";

const applicationAudio = 2049;
const optionBitrate = 4002;
const optionVariableBitrate = 4006;
const optionPredictionDisabled = 4046;

/** Bits per second: at this rate music in mono is hard to tell from its source. */
const opusBitrate = 64_000;

/**
 * Samples by which the output of a decoder lags behind the encoder's input: 2.5 ms of overlap and 4 ms of lookahead at
 * 48 kHz, as OPUS_GET_LOOKAHEAD returns it. `opus-encoder.test.ts` measures it.
 */
export const opusEncoderDelay = 312;

/** Limit of the build. */
const maxPacketBytes = 3 * 1276;

type Build = ReturnType<typeof instantiate>;

/** All encoders of a thread share the memory of one instance. */
let sharedBuild: Build | undefined;

/** Encodes one sound. The same samples give the same packets with every encoder. */
export class OpusEncoder {
  readonly #build: Build;
  readonly #handler: InstanceType<Build["OpusScriptHandler"]>;
  readonly #input: number;
  readonly #output: number;

  constructor() {
    this.#build = sharedBuild ??= instantiate();
    this.#handler = new this.#build.OpusScriptHandler(opusSampleRate, 1, applicationAudio);
    this.#input = this.#build._malloc(2 * 2 * opusFrameSamples);
    this.#output = this.#build._malloc(maxPacketBytes);
    if (this.#input === 0 || this.#output === 0) throw new Error("no memory for another Opus encoder");
    checked(this.#handler._encoder_ctl(optionBitrate, opusBitrate));
  }

  /** Whether the next packets can be decoded without those before them; by default they cannot, which saves bits. */
  set isIndependent(value: boolean) {
    checked(this.#handler._encoder_ctl(optionPredictionDisabled, value ? 1 : 0));
  }

  /** Whether all packets have the same size; by default quiet audio takes less. */
  set isConstantBitrate(value: boolean) {
    checked(this.#handler._encoder_ctl(optionVariableBitrate, value ? 0 : 1));
  }

  /** Encodes `opusFrameSamples` samples at 48 kHz mono to one packet. */
  encode(samples: Int16Array): Uint8Array {
    if (samples.length !== opusFrameSamples) throw new RangeError("an Opus frame has 960 samples");
    const { HEAPU8, HEAPU16 } = this.#build;
    const at = this.#input >> 1;
    for (let sample = 0; sample < opusFrameSamples; sample++) {
      HEAPU16[at + 2 * sample] = samples[sample]! & 0xff;
      HEAPU16[at + 2 * sample + 1] = (samples[sample]! >> 8) & 0xff;
    }
    const bytes = checked(
      this.#handler._encode(this.#input, opusFrameSamples, this.#output, opusFrameSamples),
    );
    return HEAPU8.slice(this.#output, this.#output + bytes);
  }

  /** Releases the encoder's memory; it must not be used afterwards. */
  free(): void {
    this.#build._free(this.#input);
    this.#build._free(this.#output);
    this.#build.OpusScriptHandler.destroy_handler(this.#handler);
  }
}

function checked(result: number): number {
  if (result < 0) throw new Error(`libopus: error ${result}`);
  return result;
}
