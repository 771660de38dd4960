/** The frames of audio from a pipe, for one stream: each is ready as soon as its samples are. */
import { FrameEncoder, messageOf } from "./frame-encoder.ts";
import { type IngestFormat, messageBytes } from "./format.ts";
import { ingestHighWaterBytes } from "../limits.ts";
import type { PipedAudio } from "./piped-audio.ts";
import type { FrameMessage, FrameTrack } from "./track.ts";

export class PipedTrack implements FrameTrack {
  readonly format: IngestFormat;
  readonly #audio: PipedAudio;
  readonly #encoder: FrameEncoder;
  /** Returned frames to keep: after a lost connection the stream requests the unsent ones again. */
  readonly #keptFrames: number;
  /** Messages from frame number `#first`. */
  #frames: FrameMessage[] = [];
  #first = 0;
  /** Samples, interleaved, that do not fill a frame yet. */
  #partial = new Int16Array(0);
  #samples = Infinity;

  constructor(audio: PipedAudio, format: IngestFormat) {
    this.format = format;
    this.#audio = audio;
    this.#encoder = new FrameEncoder(format);
    this.#keptFrames = 2 + Math.ceil(ingestHighWaterBytes / messageBytes(format, format.frameSamples));
  }

  get samples(): number {
    return this.#samples;
  }

  frame(frame: number): FrameMessage | undefined | Promise<FrameMessage | undefined> {
    if (frame < this.#first) throw new RangeError(`frame ${frame} is not kept any more`);
    return this.#frames[frame - this.#first] ?? (this.#hasEnded() ? undefined : this.#read(frame));
  }

  #hasEnded(): boolean {
    return this.#samples !== Infinity;
  }

  async #read(frame: number): Promise<FrameMessage | undefined> {
    this.#dropBefore(frame - this.#keptFrames);
    while (!this.#hasEnded() && this.#frames[frame - this.#first] === undefined) {
      const pcm = await this.#audio.read();
      if (pcm === undefined) this.#finish();
      else this.#append(pcm);
    }
    return this.#frames[frame - this.#first];
  }

  #dropBefore(frame: number): void {
    const dropped = Math.min(this.#frames.length, frame - this.#first);
    if (dropped <= 0) return;
    this.#frames = this.#frames.slice(dropped);
    this.#first += dropped;
  }

  #append(pcm: Int16Array): void {
    const all = new Int16Array(this.#partial.length + pcm.length);
    all.set(this.#partial);
    all.set(pcm, this.#partial.length);
    const { channels, frameSamples } = this.format;
    const samples = all.length / channels;
    const whole = samples - (samples % frameSamples);
    this.#encode(all, whole);
    this.#partial = all.slice(whole * channels);
  }

  /** Makes the last, shorter frame of the remaining samples. */
  #finish(): void {
    const { channels, frameSamples } = this.format;
    const samples = this.#partial.length / channels;
    this.#samples = (this.#first + this.#frames.length) * frameSamples + samples;
    this.#encode(this.#partial, samples);
  }

  #encode(pcm: Int16Array, samples: number): void {
    const encoded = this.#encoder.encode(pcm, samples);
    for (let frame = 0; frame < encoded.frames; frame++) this.#frames.push(messageOf(encoded, frame));
  }
}
