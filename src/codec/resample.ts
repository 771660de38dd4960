/**
 * Another sample rate for mono audio: a windowed sinc in polyphase form.
 *
 * An output sample at time t (counted in input samples) is the sum of the input around t, each sample weighted with
 *
 *     h(d) = 2 * c * sinc(2 * c * d) * kaiser(d / halfTaps)        d: its distance from t
 *
 * Where the rates allow (their ratio has few phases) each output sample falls on one of those phases and the weights come
 * from a table, exactly. Otherwise they are interpolated between two neighbours of a table of `interpolatedPhases`,
 * which errs by about 1/8 * (pi / phases)^2 / 3, some 115 dB down.
 *
 * The edge of the filter lies between 0.45 and 0.5 of the lower of the two rates: below, gain 1 (within 0.001 dB), above,
 * 90 dB down, so that nothing folds back. `resample.test.ts` measures both. Output sample 0 is input sample 0, without
 * delay: what is before the input and after it counts as silence.
 *
 * Source: J. F. Kaiser, Nonrecursive Digital Filter Design Using the I0-sinh Window Function, 1974.
 */

const stopBandDb = 95;
/** Pass and stop band end here, in parts of the lower rate. */
const passEdge = 0.45;
const stopEdge = 0.5;
const kaiserBeta = 0.1102 * (stopBandDb - 8.7);

/** More phases than this take too much memory and too long to compute. */
const maxExactPhases = 1024;
const interpolatedPhases = 512;

export const minResampleRate = 1_000;
export const maxResampleRate = 384_000;

export class Resampler {
  readonly #from: number;
  readonly #to: number;
  /** Input samples on each side of an output sample that count for it. */
  readonly #halfTaps: number;
  /** Weights of phase 0, of phase 1 and so on, up to and with the phase that is 0 of the next sample. */
  readonly #table: Float64Array;
  readonly #isExact: boolean;
  /** Input that is still needed; its first sample is number `#firstIn`, which is negative in the silence before. */
  #input: Float64Array;
  #inputLength: number;
  #firstIn: number;
  #samplesIn = 0;
  #samplesOut = 0;

  /** Rates in Hz, whole numbers from `minResampleRate` to `maxResampleRate`; anything else is a RangeError. */
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

  /** Takes the next samples and gives those of the output that are complete with them, perhaps none. */
  push(samples: Float32Array): Float32Array {
    this.#samplesIn += samples.length;
    this.#append(samples);
    return this.#output(Math.ceil(((this.#samplesIn - this.#halfTaps) * this.#to) / this.#from));
  }

  /** The rest of the output: with it there are as many samples as the input is long, rounded up. */
  end(): Float32Array {
    this.#append(new Float32Array(this.#halfTaps));
    return this.#output(Math.ceil((this.#samplesIn * this.#to) / this.#from));
  }

  /** Appends to the input and drops what no later output needs. */
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

  /** The last input sample that is not after output sample `number`. */
  #inputNumber(number: number): number {
    return Math.floor((number * this.#from) / this.#to);
  }

  /** Output samples up to number `end`, exclusive. */
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
 * Fills `out` from output sample `number` on. Its first weight belongs to the input sample whose number is
 * floor(number * from / to), less `first`, in `input`.
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
 * Sum of `taps` samples from `input[first]` on, times as many weights; `taps` is a multiple of 4. Callers make sure of
 * integers (`| 0`): an index that may be a double makes this loop many times slower for good.
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

/** Kaiser's estimate of the taps for a stop band and a transition, on each side of the middle; even. */
function halfTapsOf(lowerRate: number): number {
  const transition = (stopEdge - passEdge) * lowerRate;
  return 2 * Math.ceil((stopBandDb - 7.95) / (14.36 * transition) / 4);
}

/** Each phase is scaled to a sum of 1, so that a constant input comes out as that constant. */
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

/** The modified Bessel function of order 0, by its power series. */
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
