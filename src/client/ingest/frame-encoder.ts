/** Encodes PCM16 samples to the messages of ingest frames. */
import { AdpcmEncoder } from "../../codec/ima-adpcm.ts";
import { frameHeaderBytes } from "../../wire/ingest.ts";
import { type IngestFormat, messageBytes } from "./format.ts";

/** The messages of consecutive frames in one buffer. All have the same length, but the last may be shorter. */
export interface EncodedFrames {
  bytes: Uint8Array<ArrayBuffer>;
  frames: number;
  /** Bytes from one message to the next. */
  strideBytes: number;
}

/** Encodes the samples of one stream, which must come in order. */
export class FrameEncoder {
  readonly format: IngestFormat;
  readonly #encoder: AdpcmEncoder | undefined;

  constructor(format: IngestFormat) {
    this.format = format;
    if (format.codec === "adpcm") this.#encoder = new AdpcmEncoder(format.channels, format.nibbles);
  }

  /** The encoder's state before the next sample; empty for PCM. */
  get state(): Int32Array {
    return this.#encoder?.state.slice() ?? new Int32Array(0);
  }

  set state(state: Int32Array) {
    this.#encoder?.state.set(state);
  }

  /**
   * Encodes `samples` samples per channel, interleaved in `pcm`; only the last frame may be shorter. Each message begins
   * with room for its header, which differs by stream and is written when the message is sent.
   */
  encode(pcm: Int16Array, samples: number): EncodedFrames {
    const { format } = this;
    const frames = Math.ceil(samples / format.frameSamples);
    const strideBytes = messageBytes(format, format.frameSamples);
    const lastSamples = samples - (frames - 1) * format.frameSamples;
    const length = frames === 0 ? 0 : (frames - 1) * strideBytes + messageBytes(format, lastSamples);
    const bytes = new Uint8Array(length);
    for (let frame = 0; frame < frames; frame++) {
      const first = frame * format.frameSamples;
      const count = Math.min(format.frameSamples, samples - first);
      this.#payload(pcm, first * format.channels, count, bytes, frame * strideBytes + frameHeaderBytes);
    }
    return { bytes, frames, strideBytes };
  }

  #payload(pcm: Int16Array, at: number, samples: number, out: Uint8Array, outAt: number): void {
    if (this.#encoder === undefined) putPcm16(pcm, at, samples * this.format.channels, out, outAt);
    else this.#encoder.encode(pcm, at, samples, out, outAt);
  }
}

/** The message of frame number `frame`, as a view. */
export function messageOf(encoded: EncodedFrames, frame: number): Uint8Array<ArrayBuffer> {
  const at = frame * encoded.strideBytes;
  return encoded.bytes.subarray(at, at + encoded.strideBytes);
}

function putPcm16(pcm: Int16Array, at: number, samples: number, out: Uint8Array, outAt: number): void {
  for (let sample = 0, to = outAt; sample < samples; sample++, to += 2) {
    const value = pcm[at + sample]!;
    out[to] = value;
    out[to + 1] = value >> 8;
  }
}
