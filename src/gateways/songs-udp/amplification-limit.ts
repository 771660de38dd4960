/**
 * How many bytes each address may be sent before it has shown that it receives them: a small start, and three times what
 * came from it (RFC 9000, section 8.1). A source address can be forged, and without this limit a request of one byte
 * would have a whole song sent to a victim.
 */
import {
  maxUnvalidatedAddresses,
  maxUnvalidatedBytes,
  unvalidatedFactor,
  unvalidatedStartBytes,
  unvalidatedWindowMs,
} from "../../base/limits/songs.ts";

interface Allowance {
  /** May still be sent. */
  bytes: number;
  readonly expiresAt: number;
}

export class AmplificationLimit {
  /** In the order of their expiry. */
  readonly #allowances = new Map<string, Allowance>();

  /** Counts a datagram of an address. While too many addresses are known, a new one is allowed nothing. */
  received(address: string, bytes: number, now: number): void {
    this.#expire(now);
    const known = this.#allowances.get(address);
    if (known === undefined && this.#allowances.size === maxUnvalidatedAddresses) return;
    const allowance = known ?? { bytes: unvalidatedStartBytes, expiresAt: now + unvalidatedWindowMs };
    allowance.bytes = Math.min(maxUnvalidatedBytes, allowance.bytes + unvalidatedFactor * bytes);
    this.#allowances.set(address, allowance);
  }

  /** True if this many bytes may be sent to the address now; it counts them. */
  take(address: string, bytes: number): boolean {
    const allowance = this.#allowances.get(address);
    if (allowance === undefined || allowance.bytes < bytes) return false;
    allowance.bytes -= bytes;
    return true;
  }

  /** An allowance lasts from the first datagram, however many follow: otherwise a forger could keep the table full. */
  #expire(now: number): void {
    for (const [address, { expiresAt }] of this.#allowances) {
      if (expiresAt > now) return;
      this.#allowances.delete(address);
    }
  }
}
