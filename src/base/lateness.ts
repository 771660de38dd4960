/** Statistics of lateness: a histogram with classes of a millisecond, whose memory does not grow with the samples. */

/** Highest class in milliseconds. Percentiles count a later sample as this late; `maxMs` is exact. */
const classes = 10_000;

export class Lateness {
  readonly #counts = new Uint32Array(classes + 1);
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** `ms` is 0 for a sample in time. */
  add(ms: number): void {
    const at = Math.min(classes, Math.max(0, Math.ceil(ms)));
    this.#counts[at] = this.#counts[at]! + 1;
    this.#count++;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** The lateness in milliseconds, rounded up, that a share (0 to 1) of the samples kept within; 0 without samples. */
  percentileMs(share: number): number {
    const wanted = share * this.#count;
    let counted = 0;
    for (let ms = 0; ms <= classes; ms++) {
      counted += this.#counts[ms]!;
      if (counted >= wanted) return ms;
    }
    return classes;
  }

  /** The number of samples later than `ms` whole milliseconds. */
  over(ms: number): number {
    return this.#counts.subarray(Math.ceil(ms) + 1).reduce((sum, count) => sum + count, 0);
  }
}
