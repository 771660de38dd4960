import { OpusEncoder } from "../../../src/codec/opus-encoder.ts";
import { opusFrameSamples } from "../../../src/codec/opus.ts";

/** Cuts samples into Opus frames and encodes them. Each sound has its own encoder, so its packets are reproducible. */
export class FrameEncoder {
  readonly #encoder = new OpusEncoder();
  readonly #frame = new Int16Array(opusFrameSamples);
  #filled = 0;

  /** Appends the complete packets to `packets`. */
  push(samples: Float32Array, packets: Uint8Array[]): void {
    for (const sample of samples) {
      this.#frame[this.#filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.#filled === opusFrameSamples) packets.push(this.#encode());
    }
  }

  /** Pads the last frame with silence. */
  end(packets: Uint8Array[]): void {
    if (this.#filled === 0) return;
    this.#frame.fill(0, this.#filled);
    packets.push(this.#encode());
  }

  free(): void {
    this.#encoder.free();
  }

  #encode(): Uint8Array {
    this.#filled = 0;
    return this.#encoder.encode(this.#frame);
  }
}
