/** How late things were: counted in classes of a millisecond, so that memory does not grow with their number. */

/** What is later than this counts as this late in shares; `maxMs` is exact. */
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

  /** `ms` is 0 for what came in time. */
  add(ms: number): void {
    const at = Math.min(classes, Math.max(0, Math.ceil(ms)));
    this.#counts[at] = this.#counts[at]! + 1;
    this.#count++;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** Milliseconds, rounded up, that this share (0 to 1) of all kept within; 0 where there were none. */
  percentileMs(share: number): number {
    const wanted = share * this.#count;
    let counted = 0;
    for (let ms = 0; ms <= classes; ms++) {
      counted += this.#counts[ms]!;
      if (counted >= wanted) return ms;
    }
    return classes;
  }

  /** How many were later than so many whole milliseconds. */
  over(ms: number): number {
    return this.#counts.subarray(Math.ceil(ms) + 1).reduce((sum, count) => sum + count, 0);
  }
}
