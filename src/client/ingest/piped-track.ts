/** The frames of audio that comes in a pipe: for one stream, each as soon as its samples are there. */
import { FrameCoder, messageOf } from "./frame-coder.ts";
import { type IngestFormat, messageBytes } from "./format.ts";
import { ingestHighWaterBytes } from "../limits.ts";
import type { PipedAudio } from "./piped-audio.ts";
import type { FrameMessage, FrameTrack } from "./track.ts";

export class PipedTrack implements FrameTrack {
  readonly format: IngestFormat;
  readonly #audio: PipedAudio;
  readonly #coder: FrameCoder;
  /** How many frames that have been given stay here: what a lost connection had not sent is asked for again. */
  readonly #keptFrames: number;
  /** Messages from frame number `#first` on. */
  #frames: FrameMessage[] = [];
  #first = 0;
  /** Samples that do not make up a frame yet. */
  #rest = new Int16Array(0);
  #samples = Infinity;

  constructor(audio: PipedAudio, format: IngestFormat) {
    this.format = format;
    this.#audio = audio;
    this.#coder = new FrameCoder(format);
    this.#keptFrames = 2 + Math.ceil(ingestHighWaterBytes / messageBytes(format, format.frameSamples));
  }

  get samples(): number {
    return this.#samples;
  }

  frame(frame: number): FrameMessage | undefined | Promise<FrameMessage | undefined> {
    if (frame < this.#first) throw new RangeError(`frame ${frame} is not kept any more`);
    return this.#frames[frame - this.#first] ?? (this.#isOver() ? undefined : this.#read(frame));
  }

  #isOver(): boolean {
    return this.#samples !== Infinity;
  }

  async #read(frame: number): Promise<FrameMessage | undefined> {
    this.#forget(frame - this.#keptFrames);
    while (!this.#isOver() && this.#frames[frame - this.#first] === undefined) {
      const pcm = await this.#audio.read();
      if (pcm === undefined) this.#finish();
      else this.#take(pcm);
    }
    return this.#frames[frame - this.#first];
  }

  #forget(before: number): void {
    const gone = Math.min(this.#frames.length, before - this.#first);
    if (gone <= 0) return;
    this.#frames = this.#frames.slice(gone);
    this.#first += gone;
  }

  #take(pcm: Int16Array): void {
    const all = new Int16Array(this.#rest.length + pcm.length);
    all.set(this.#rest);
    all.set(pcm, this.#rest.length);
    const { channels, frameSamples } = this.format;
    const samples = all.length / channels;
    const whole = samples - (samples % frameSamples);
    this.#code(all, whole);
    this.#rest = all.slice(whole * channels);
  }

  /** What is left becomes the last frame, a shorter one. */
  #finish(): void {
    const { channels, frameSamples } = this.format;
    const samples = this.#rest.length / channels;
    this.#samples = (this.#first + this.#frames.length) * frameSamples + samples;
    this.#code(this.#rest, samples);
  }

  #code(pcm: Int16Array, samples: number): void {
    const coded = this.#coder.encode(pcm, samples);
    for (let frame = 0; frame < coded.frames; frame++) this.#frames.push(messageOf(coded, frame));
  }
}
