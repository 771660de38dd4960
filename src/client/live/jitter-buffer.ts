/**
 * The audio between the network and the loudspeaker. It hides that frames arrive unevenly, and that the clocks of the
 * device and of the loudspeaker differ:
 *
 *     filling --(as long as wanted)--> playing --(empty)--> filling, and longer from then on
 *
 * While it plays, the rate follows the average length of the buffer, by half a percent at most. A buffer that is far too
 * long, because the page was suspended or the network was, drops its oldest audio.
 */
import {
  driftPerSecond,
  fadeInMs,
  fillAverageMs,
  jitterCapacityMs,
  jitterMs,
  maxDrift,
  maxExcessMs,
  maxJitterMs,
} from "./limits.ts";

export interface JitterState {
  isPlaying: boolean;
  bufferedMs: number;
  /** The length that the buffer is kept at. */
  wantedMs: number;
  /** How often it was empty, and how often it dropped audio, since the start. */
  underruns: number;
  resyncs: number;
  /** How much faster than its sample rate the audio plays now; 0.001 is a thousandth. */
  drift: number;
}

export class JitterBuffer {
  readonly #sampleRate: number;
  readonly #capacity: number;
  /** A ring for each channel. */
  #rings: Float32Array[] = [];
  /** Free-running counts of samples: the next one in, and the next one out, between two samples. */
  #in = 0;
  #out = 0;
  #isPlaying = false;
  #wantedMs = jitterMs;
  #averageFill = 0;
  #faded = 0;
  #underruns = 0;
  #resyncs = 0;
  #drift = 0;

  /** `sampleRate` is that of both sides, in Hz. */
  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
    this.#capacity = Math.ceil((sampleRate * jitterCapacityMs) / 1000);
  }

  get state(): JitterState {
    return {
      isPlaying: this.#isPlaying,
      bufferedMs: (1000 * this.#fill) / this.#sampleRate,
      wantedMs: this.#wantedMs,
      underruns: this.#underruns,
      resyncs: this.#resyncs,
      drift: this.#isPlaying ? this.#drift : 0,
    };
  }

  /** Appends samples of each channel. Another number of channels than before starts the buffer anew. */
  push(channels: readonly Float32Array[]): void {
    const samples = channels[0]?.length ?? 0;
    if (channels.length !== this.#rings.length) this.#restart(channels.length);
    for (const [number, ring] of this.#rings.entries()) {
      const source = channels[number]!;
      for (let at = 0; at < samples; at++) ring[(this.#in + at) % this.#capacity] = source[at]!;
    }
    this.#in += samples;
    if (this.#fill > this.#wanted + this.#samplesOf(maxExcessMs)) this.#dropExcess();
    if (!this.#isPlaying && this.#fill >= this.#wanted) this.#start();
  }

  /** Audio is missing between what was pushed and what will be: it fades in there. */
  markGap(): void {
    this.#faded = 0;
  }

  /** Fills the outputs, all of the same length, with what comes next, or with silence. */
  read(outputs: readonly Float32Array[]): void {
    const length = outputs[0]?.length ?? 0;
    if (this.#isPlaying) this.#adjust(length);
    const step = 1 + this.#drift;
    let at = 0;
    for (; at < length && this.#isPlaying; at++) {
      // The interpolation looks at two samples behind the position.
      if (this.#in - this.#out < 3) this.#underrun();
      else this.#write(outputs, at, step);
    }
    for (const output of outputs) output.fill(0, at);
  }

  get #fill(): number {
    return Math.max(0, this.#in - this.#out);
  }

  get #wanted(): number {
    return this.#samplesOf(this.#wantedMs);
  }

  #samplesOf(ms: number): number {
    return (this.#sampleRate * ms) / 1000;
  }

  #restart(channels: number): void {
    this.#rings = Array.from({ length: channels }, () => new Float32Array(this.#capacity));
    this.#out = this.#in;
    this.#isPlaying = false;
  }

  #start(): void {
    this.#isPlaying = true;
    this.#averageFill = this.#fill;
    this.#faded = 0;
  }

  #underrun(): void {
    this.#isPlaying = false;
    this.#underruns += 1;
    this.#wantedMs = Math.min(1.5 * this.#wantedMs, maxJitterMs);
  }

  #dropExcess(): void {
    this.#out = this.#in - this.#wanted;
    this.#averageFill = this.#wanted;
    this.#faded = 0;
    if (this.#isPlaying) this.#resyncs += 1;
  }

  #adjust(samples: number): void {
    const weight = Math.min(1, samples / this.#samplesOf(fillAverageMs));
    this.#averageFill += weight * (this.#fill - this.#averageFill);
    const excessSeconds = (this.#averageFill - this.#wanted) / this.#sampleRate;
    this.#drift = Math.max(-maxDrift, Math.min(maxDrift, excessSeconds * driftPerSecond));
  }

  #write(outputs: readonly Float32Array[], at: number, step: number): void {
    const fadeSamples = this.#samplesOf(fadeInMs);
    const gain = this.#faded < fadeSamples ? this.#faded++ / fadeSamples : 1;
    const first = Math.floor(this.#out);
    const fraction = this.#out - first;
    for (const [number, output] of outputs.entries()) {
      const ring = this.#rings[Math.min(number, this.#rings.length - 1)]!;
      output[at] = gain * interpolate(ring, first, fraction, this.#capacity);
    }
    this.#out += step;
  }
}

/** Catmull-Rom between samples `first` and `first + 1`; at a rate within half a percent of 1 its error is not heard. */
function interpolate(ring: Float32Array, first: number, fraction: number, capacity: number): number {
  const b = ring[first % capacity]!;
  if (fraction === 0) return b;
  const a = ring[(first + capacity - 1) % capacity]!;
  const c = ring[(first + 1) % capacity]!;
  const d = ring[(first + 2) % capacity]!;
  const cubic = 3 * (b - c) + d - a;
  const square = 2 * a - 5 * b + 4 * c - d;
  return b + 0.5 * fraction * (c - a + fraction * (square + fraction * cubic));
}
