/** Compares the clock of this machine with that of the database. */
import { maxClockErrorMs } from "../base/limits/postgres.ts";

export class CatalogClock {
  #aheadMs = 0;

  /**
   * The database said `nowMs` between two moments of this machine's clock. Returns by how much that is ahead, if it is no
   * longer what was known: 0 while the difference is small, or may come from a slow answer.
   */
  compare(nowMs: number, sentAt: number, receivedAt: number): number | undefined {
    const measured = Math.round((sentAt + receivedAt) / 2 - nowMs);
    const doubtMs = (receivedAt - sentAt) / 2 + maxClockErrorMs;
    const isKnown = Math.abs(measured - this.#aheadMs) <= doubtMs;
    if (isKnown) return undefined;
    this.#aheadMs = Math.abs(measured) <= doubtMs ? 0 : measured;
    return this.#aheadMs;
  }
}
