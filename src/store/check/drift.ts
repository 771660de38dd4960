/**
 * The main thread counts streams and bytes by the answers to its calls. `Drift` adds up the changes that no answer
 * tells of, for a notice.
 */
import type { Catalog, Totals } from "../streams/catalog.ts";

export class Drift {
  readonly #catalog: Pick<Catalog, "totals">;
  #sum = noTotals();

  constructor(catalog: Pick<Catalog, "totals">) {
    this.#catalog = catalog;
  }

  get isEmpty(): boolean {
    return Object.values(this.#sum).every((value) => value === 0);
  }

  /** Runs `change` and counts how it changes the totals. */
  around<T>(change: () => T): T {
    const before = this.#catalog.totals();
    const result = change();
    const after = this.#catalog.totals();
    for (const name of names) this.#sum[name] += after[name] - before[name];
    return result;
  }

  /** Returns the changes since the last call. */
  take(): Totals {
    const sum = this.#sum;
    this.#sum = noTotals();
    return sum;
  }
}

function noTotals(): Totals {
  return { finished: 0, unfinished: 0, unfinishedBytes: 0, objects: 0, objectBytes: 0 };
}

const names = Object.keys(noTotals()) as (keyof Totals)[];
