import { livePastMs } from "../../../src/base/limits/recordings.ts";
import { OpusEncoder } from "../../../src/codec/opus-encoder.ts";
import { opusSampleRate } from "../../../src/codec/opus.ts";
import { Resampler } from "../../../src/codec/resample.ts";
import type { LiveTask } from "../../../src/store/sounds/encoder-calls.ts";
import { FrameEncoder } from "../sounds/frame-encoder.ts";
import { mixInterleaved } from "../sounds/mono-audio.ts";
import { readPast } from "./past-audio.ts";

/** Encodes the audio of one recording, mixed to mono. */
export class LiveEncoder {
  readonly #task: LiveTask;
  readonly #resampler: Resampler | undefined;
  readonly #frames: FrameEncoder;

  constructor(task: LiveTask) {
    this.#task = task;
    if (task.sampleRate !== opusSampleRate) this.#resampler = new Resampler(task.sampleRate, opusSampleRate);
    const encoder = new OpusEncoder();
    // Browsers buffer by bytes: at a constant bitrate quiet audio starts as soon as loud audio does.
    encoder.isConstantBitrate = true;
    this.#frames = new FrameEncoder(encoder);
  }

  /** The audio of the last seconds. Throws the system's error. */
  past(): Uint8Array[] {
    return readPast(this.#task, Math.floor((this.#task.sampleRate * livePastMs) / 1000));
  }

  /** Encodes PCM16, interleaved, and returns the complete packets. */
  encode(pcm: Uint8Array): Uint8Array[] {
    const samples = new Int16Array(pcm.slice().buffer);
    const mono = mixInterleaved(samples, this.#task.channels);
    const packets: Uint8Array[] = [];
    this.#frames.push(this.#resampler?.push(mono) ?? mono, packets);
    return packets;
  }

  free(): void {
    this.#frames.free();
  }
}
