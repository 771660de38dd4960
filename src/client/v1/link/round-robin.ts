/**
 * Whose turn it is to send. Rounds: whoever has something to send gets one turn in each; who comes in the middle of a
 * round and had no turn in it yet is still let in, behind those that wait.
 */
export interface RoundRobinEntry {
  /** The round of its last turn; kept here. */
  lastRound: number;
}

export class RoundRobin<S extends RoundRobinEntry> {
  #round = 1;
  readonly #waiting = new Set<S>();
  readonly #later = new Set<S>();

  /** Lets a sender in; one that waits already keeps its place. */
  add(sender: S): void {
    if (this.#waiting.has(sender) || this.#later.has(sender)) return;
    (sender.lastRound < this.#round ? this.#waiting : this.#later).add(sender);
  }

  remove(sender: S): void {
    this.#waiting.delete(sender);
    this.#later.delete(sender);
  }

  /** Takes the next one out; undefined if nobody waits. */
  next(): S | undefined {
    if (this.#waiting.size === 0) {
      if (this.#later.size === 0) return undefined;
      this.#round += 1;
      for (const sender of this.#later) this.#waiting.add(sender);
      this.#later.clear();
    }
    for (const sender of this.#waiting) {
      this.#waiting.delete(sender);
      sender.lastRound = this.#round;
      return sender;
    }
    return undefined;
  }
}
