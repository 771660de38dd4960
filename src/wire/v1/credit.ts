/**
 * Credit, of a channel or of a connection: bytes of payload that one side lets the other send. A `SendCredit` is what
 * there is to spend; a `ReceiveWindow` what was given and when to give more.
 */
import {
  initialChannelCreditBytes,
  maxChannelWindowBytes,
  maxCreditBytes,
  usualDataBytes,
} from "../../base/limits/v1.ts";

export class SendCredit {
  #bytes: number;

  constructor(initialBytes: number) {
    this.#bytes = initialBytes;
  }

  /** What may be sent now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False, and nothing changed, if it would be more than anybody may have: the other side is at fault. */
  grant(bytes: number): boolean {
    if (this.#bytes + bytes > maxCreditBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Spends at most what there is. */
  spend(bytes: number): void {
    if (bytes > this.#bytes) throw new RangeError("more credit is spent than there is");
    this.#bytes -= bytes;
  }
}

export class ReceiveWindow {
  /** Bytes that the other side may still send. */
  #open: number;
  /** Bytes that came and were not taken yet. */
  #held = 0;

  constructor(initialBytes: number) {
    this.#open = initialBytes;
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** False if these bytes were sent without credit: the other side is at fault. */
  receive(bytes: number): boolean {
    if (bytes > this.#open) return false;
    this.#open -= bytes;
    this.#held += bytes;
    return true;
  }

  /** Bytes that came are out of the way. */
  take(bytes: number): void {
    if (bytes > this.#held) throw new RangeError("more is taken than came");
    this.#held -= bytes;
  }

  /**
   * What to grant now so that `windowBytes` are open or held, and counts it as granted; 0 while that is less than half
   * a window, since a message for every few bytes would be a waste.
   */
  refill(windowBytes: number): number {
    const missing = windowBytes - this.#open - this.#held;
    if (missing <= 0 || missing < windowBytes / 2) return 0;
    this.#open += missing;
    return missing;
  }
}

/**
 * The window of each of `channels` channels that share `budgetBytes`: whole messages of the usual size, since what is
 * left of a window would go out as a short one each time.
 */
export function channelWindow(budgetBytes: number, channels: number): number {
  const messages = Math.floor(budgetBytes / Math.max(1, channels) / usualDataBytes);
  return Math.min(maxChannelWindowBytes, Math.max(initialChannelCreditBytes, messages * usualDataBytes));
}
