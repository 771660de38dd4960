/**
 * Resamples mono audio with a windowed sinc in polyphase form.
 *
 * An output sample at time t (in input samples) is the sum of the input samples around t, each with the weight
 *
 *     h(d) = 2 * c * sinc(2 * c * d) * kaiser(d / halfTaps)        d: its distance from t
 *
 * If the ratio of the rates has few phases, each output sample falls on one of them and a table has its exact weights.
 * Otherwise the weights are interpolated between neighbours in a table of `interpolatedPhases`. The error is about
 * 1/8 * (pi / phases)^2 / 3, or -115 dB.
 *
 * The transition band is 0.45 to 0.5 of the lower rate. The gain is 1 below it (within 0.001 dB) and -90 dB above it,
 * which prevents aliasing. `resample.test.ts` measures both. There is no delay: output sample 0 is input sample 0. The
 * audio before and after the input counts as silence.
 *
 * Source: J. F. Kaiser, Nonrecursive Digital Filter Design Using the I0-sinh Window Function, 1974.
 */

const stopBandDb = 95;
/** Edges of the pass band and the stop band, as fractions of the lower rate. */
const passEdge = 0.45;
const stopEdge = 0.5;
const kaiserBeta = 0.1102 * (stopBandDb - 8.7);

/** A table of more phases takes too much memory and time to compute. */
const maxExactPhases = 1024;
const interpolatedPhases = 512;

export const minResampleRate = 1_000;
export const maxResampleRate = 384_000;

export class Resampler {
  readonly #from: number;
  readonly #to: number;
  /** Input samples on each side of an output sample that contribute to it. */
  readonly #halfTaps: number;
  /** Weights of phase 0, of phase 1 and so on, including the phase that equals phase 0 of the next sample. */
  readonly #table: Float64Array;
  readonly #isExact: boolean;
  /** Input samples still needed. The first is number `#firstIn`, which is negative in the silence before the input. */
  #input: Float64Array;
  #inputLength: number;
  #firstIn: number;
  #samplesIn = 0;
  #samplesOut = 0;

  /** Rates in Hz, whole numbers from `minResampleRate` to `maxResampleRate`; others throw a RangeError. */
  constructor(fromRate: number, toRate: number) {
    checkRate(fromRate);
    checkRate(toRate);
    const divisor = greatestCommonDivisor(fromRate, toRate);
    this.#from = fromRate / divisor;
    this.#to = toRate / divisor;
    const lowerRate = Math.min(1, toRate / fromRate);
    this.#halfTaps = halfTapsOf(lowerRate);
    this.#isExact = this.#to <= maxExactPhases;
    this.#table = weights(this.#isExact ? this.#to : interpolatedPhases, this.#halfTaps, lowerRate);
    this.#firstIn = 1 - this.#halfTaps;
    this.#inputLength = this.#halfTaps - 1;
    this.#input = new Float64Array(2 * this.#halfTaps);
  }

  /** Adds input samples and returns the output samples that they complete, if any. */
  push(samples: Float32Array): Float32Array {
    this.#samplesIn += samples.length;
    this.#append(samples);
    return this.#output(Math.ceil(((this.#samplesIn - this.#halfTaps) * this.#to) / this.#from));
  }

  /** Returns the rest of the output. Its total duration is that of the input, rounded up to a sample. */
  end(): Float32Array {
    this.#append(new Float32Array(this.#halfTaps));
    return this.#output(Math.ceil((this.#samplesIn * this.#to) / this.#from));
  }

  /** Appends to the input and drops samples that no later output needs. */
  #append(samples: Float32Array): void {
    const needed = this.#inputNumber(this.#samplesOut) - this.#halfTaps + 1;
    const drop = Math.min(this.#inputLength, Math.max(0, needed - this.#firstIn));
    const kept = this.#inputLength - drop;
    if (kept + samples.length > this.#input.length) {
      const larger = new Float64Array(kept + samples.length);
      larger.set(this.#input.subarray(drop, this.#inputLength));
      this.#input = larger;
    } else {
      this.#input.copyWithin(0, drop, this.#inputLength);
    }
    this.#input.set(samples, kept);
    this.#inputLength = kept + samples.length;
    this.#firstIn += drop;
  }

  /** Number of the last input sample at or before output sample `number`. */
  #inputNumber(number: number): number {
    return Math.floor((number * this.#from) / this.#to);
  }

  /** Output samples up to but excluding number `end`. */
  #output(end: number): Float32Array {
    const out = new Float32Array(Math.max(0, end - this.#samplesOut));
    const first = this.#firstIn + this.#halfTaps - 1;
    const loop = this.#isExact ? fillExactly : fillInterpolated;
    loop(out, this.#samplesOut, this.#from, this.#to, this.#input, first, this.#table, 2 * this.#halfTaps);
    this.#samplesOut += out.length;
    return out;
  }
}

/**
 * Fills `out` with output samples from `number` on. The first weight of an output sample belongs to
 * `input[floor(number * from / to) - first]`.
 */
function fillExactly(
  out: Float32Array,
  number: number,
  from: number,
  to: number,
  input: Float64Array,
  first: number,
  table: Float64Array,
  taps: number,
): void {
  let inputNumber = Math.floor((number * from) / to);
  let phase = number * from - inputNumber * to;
  for (let at = 0; at < out.length; at++) {
    out[at] = weightedSum(input, (inputNumber - first) | 0, table, (phase * taps) | 0, taps);
    phase += from;
    while (phase >= to) {
      phase -= to;
      inputNumber += 1;
    }
  }
}

/** The same for a table of `interpolatedPhases`. */
function fillInterpolated(
  out: Float32Array,
  number: number,
  from: number,
  to: number,
  input: Float64Array,
  first: number,
  table: Float64Array,
  taps: number,
): void {
  for (let at = 0; at < out.length; at++) {
    const inputNumber = Math.floor(((number + at) * from) / to);
    const position = (((number + at) * from - inputNumber * to) / to) * interpolatedPhases;
    const phase = position | 0;
    const start = (inputNumber - first) | 0;
    const below = weightedSum(input, start, table, (phase * taps) | 0, taps);
    const above = weightedSum(input, start, table, ((phase + 1) * taps) | 0, taps);
    out[at] = below + (position - phase) * (above - below);
  }
}

/**
 * Dot product of `taps` input samples from `input[first]` and `taps` weights from `table[at]`; `taps` is a multiple of 4.
 * Callers pass integers (`| 0`): once an index is a double, the engine keeps this loop many times slower.
 */
function weightedSum(
  input: Float64Array,
  first: number,
  table: Float64Array,
  at: number,
  taps: number,
): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let tap = 0; tap < taps; tap += 4) {
    a += input[first + tap]! * table[at + tap]!;
    b += input[first + tap + 1]! * table[at + tap + 1]!;
    c += input[first + tap + 2]! * table[at + tap + 2]!;
    d += input[first + tap + 3]! * table[at + tap + 3]!;
  }
  return a + b + c + d;
}

function checkRate(rate: number): void {
  if (Number.isInteger(rate) && rate >= minResampleRate && rate <= maxResampleRate) return;
  throw new RangeError(`a sample rate is a whole number from ${minResampleRate} to ${maxResampleRate}`);
}

/** Kaiser's estimate of the taps on each side for a stop band and a transition band; rounded up to even. */
function halfTapsOf(lowerRate: number): number {
  const transition = (stopEdge - passEdge) * lowerRate;
  return 2 * Math.ceil((stopBandDb - 7.95) / (14.36 * transition) / 4);
}

/** Scales each phase to a sum of 1: a constant input stays constant. */
function weights(phases: number, halfTaps: number, lowerRate: number): Float64Array {
  const taps = 2 * halfTaps;
  const table = new Float64Array((phases + 1) * taps);
  const row = new Float64Array(taps);
  for (let phase = 0; phase <= phases; phase++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      row[tap] = weight(phase / phases - (tap - halfTaps + 1), halfTaps, lowerRate);
      sum += row[tap]!;
    }
    for (let tap = 0; tap < taps; tap++) table[phase * taps + tap] = row[tap]! / sum;
  }
  return table;
}

function weight(distance: number, halfTaps: number, lowerRate: number): number {
  const relative = distance / halfTaps;
  if (Math.abs(relative) >= 1) return 0;
  const window = besselI0(kaiserBeta * Math.sqrt(1 - relative * relative));
  const x = Math.PI * (passEdge + stopEdge) * lowerRate * distance;
  return (x === 0 ? 1 : Math.sin(x) / x) * window;
}

/** The modified Bessel function of order 0, computed from its power series. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
