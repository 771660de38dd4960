/** Counts wrong credentials by address, so that whoever guesses is slowed down. */
import { networkOf } from "../base/address-network.ts";
import { failureWindowMs, maxFailingAddresses, maxFailures } from "../base/limits/access.ts";
import { Lru } from "../base/lru.ts";

interface Count {
  failures: number;
  /** Of the monotonic clock. */
  endsAtMs: number;
}

export class Failures {
  readonly #counts = new Lru<Count>(maxFailingAddresses);
  readonly #nowMs: () => number;
  readonly #max: number;

  constructor(nowMs: () => number = () => performance.now(), max: number = maxFailures) {
    this.#nowMs = nowMs;
    this.#max = max;
  }

  /** Whether the address has to wait. */
  isBlocked(address: string): boolean {
    return (this.#countOf(networkOf(address))?.failures ?? 0) >= this.#max;
  }

  /** At the limit the minute begins anew, once. */
  add(address: string): void {
    const network = networkOf(address);
    const count = this.#countOf(network) ?? { failures: 0, endsAtMs: this.#nowMs() + failureWindowMs };
    count.failures += 1;
    if (count.failures === this.#max) count.endsAtMs = this.#nowMs() + failureWindowMs;
    this.#counts.set(network, count);
  }

  #countOf(network: string): Count | undefined {
    const count = this.#counts.get(network);
    return count !== undefined && count.endsAtMs > this.#nowMs() ? count : undefined;
  }
}
