import { opusEncoderDelay, OpusEncoder } from "../../../src/codec/opus-encoder.ts";
import { opusFrameSamples } from "../../../src/codec/opus.ts";

/**
 * Cuts samples into Opus frames and encodes them. Each sound has its own encoder, so its packets are reproducible.
 *
 * The encoder's output lags behind its input by `opusEncoderDelay`. Devices know no pre-skip, so the delay is taken off
 * here: silence in front moves the audio to the beginning of the second packet, the first packet is dropped, and silence
 * behind flushes the end.
 */
export class FrameEncoder {
  readonly #encoder: OpusEncoder;
  readonly #frame = new Int16Array(opusFrameSamples);
  #filled = opusFrameSamples - opusEncoderDelay;
  #isFirst = true;

  /** The encoder belongs to this object from now on. */
  constructor(encoder: OpusEncoder = new OpusEncoder()) {
    this.#encoder = encoder;
  }

  /** Appends the complete packets to `packets`. */
  push(samples: Float32Array, packets: Uint8Array[]): void {
    for (const sample of samples) {
      this.#frame[this.#filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.#filled === opusFrameSamples) this.#encode(packets);
    }
  }

  /** Flushes the end, and pads the last frame with silence. */
  end(packets: Uint8Array[]): void {
    const isEmpty = this.#isFirst && this.#filled === opusFrameSamples - opusEncoderDelay;
    if (isEmpty) return;
    const flushed = this.#filled + opusEncoderDelay;
    this.#frame.fill(0, this.#filled);
    this.#encode(packets);
    if (flushed <= opusFrameSamples) return;
    this.#frame.fill(0);
    this.#encode(packets);
  }

  free(): void {
    this.#encoder.free();
  }

  #encode(packets: Uint8Array[]): void {
    this.#filled = 0;
    // A decoder that begins with the second packet must not need anything of the first.
    if (this.#isFirst) this.#encoder.isIndependent = true;
    const packet = this.#encoder.encode(this.#frame);
    if (!this.#isFirst) {
      packets.push(packet);
      this.#encoder.isIndependent = false;
    }
    this.#isFirst = false;
  }
}
