/**
 * Fairness between senders. In each round a sender has at most one turn. A sender that joins during a round still has
 * its turn in that round, if it has had none: a short upload need not wait for all the bulk ones to have another turn.
 */
export interface RoundRobinEntry {
  /** The round of its last turn, 0 before the first. The round robin writes it. */
  lastRound: number;
}

export class RoundRobin<E extends RoundRobinEntry> {
  #round = 1;
  readonly #thisRound = new Set<E>();
  readonly #nextRound = new Set<E>();

  /** Adds an entry; one that waits already keeps its place. */
  add(entry: E): void {
    if (this.#thisRound.has(entry) || this.#nextRound.has(entry)) return;
    (entry.lastRound < this.#round ? this.#thisRound : this.#nextRound).add(entry);
  }

  remove(entry: E): void {
    this.#thisRound.delete(entry);
    this.#nextRound.delete(entry);
  }

  /** Removes and returns the entry whose turn it is; undefined if none waits. */
  next(): E | undefined {
    if (this.#thisRound.size === 0) {
      if (this.#nextRound.size === 0) return undefined;
      this.#round += 1;
      for (const entry of this.#nextRound) this.#thisRound.add(entry);
      this.#nextRound.clear();
    }
    for (const entry of this.#thisRound) {
      this.#thisRound.delete(entry);
      entry.lastRound = this.#round;
      return entry;
    }
    return undefined;
  }
}
