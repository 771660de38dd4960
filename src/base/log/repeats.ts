/**
 * Lines of one kind that come too often: the first ones of each period pass, the others are counted, and the end of the
 * period reports how many there were.
 */

interface Period<Line> {
  passed: number;
  repeated: number;
  last: Line;
}

export interface RepeatsSettings<Line> {
  /** Lines of a kind that pass in each period. */
  burst: number;
  periodMs: number;
  /** A period has ended in which this many lines did not pass; `last` is the last of them. */
  report: (last: Line, repeated: number) => void;
}

export class Repeats<Line> {
  readonly #settings: RepeatsSettings<Line>;
  readonly #periods = new Map<string, Period<Line>>();

  constructor(settings: RepeatsSettings<Line>) {
    this.#settings = settings;
  }

  /** Whether this line is logged now. Kinds are few: each takes an entry for its period. */
  passes(kind: string, line: Line): boolean {
    const period = this.#periods.get(kind) ?? this.#begin(kind, line);
    if (period.passed < this.#settings.burst) {
      period.passed += 1;
      return true;
    }
    period.repeated += 1;
    period.last = line;
    return false;
  }

  /** No kind has a period: each passes again. */
  get isQuiet(): boolean {
    return this.#periods.size === 0;
  }

  /** Reports what is counted so far: the process ends before the periods do. */
  flush(): void {
    for (const period of this.#periods.values()) this.#report(period);
  }

  #begin(kind: string, last: Line): Period<Line> {
    const period = { passed: 0, repeated: 0, last };
    this.#periods.set(kind, period);
    this.#endLater(kind);
    return period;
  }

  #endLater(kind: string): void {
    setTimeout(() => this.#end(kind), this.#settings.periodMs).unref();
  }

  #end(kind: string): void {
    const period = this.#periods.get(kind);
    if (period === undefined) return;
    if (period.repeated === 0) {
      this.#periods.delete(kind);
      return;
    }
    this.#report(period);
    // The report is a line of the next period.
    period.passed = 1;
    this.#endLater(kind);
  }

  #report(period: Period<Line>): void {
    if (period.repeated === 0) return;
    this.#settings.report(period.last, period.repeated);
    period.repeated = 0;
  }
}
