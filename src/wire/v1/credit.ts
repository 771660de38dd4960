/**
 * Credit-based flow control of a channel or a connection: one side grants the other the payload bytes that it may send.
 * `SendCredit` counts the credit of the sender. `ReceiveWindow` belongs to the receiver and decides when to grant more.
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

  /** Bytes that may be sent now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False, without a change, if the credit would exceed its limit: the peer broke the protocol. */
  grant(bytes: number): boolean {
    if (this.#bytes + bytes > maxCreditBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  spend(bytes: number): void {
    if (bytes > this.#bytes) throw new RangeError("more credit is spent than was granted");
    this.#bytes -= bytes;
  }
}

export class ReceiveWindow {
  /** Bytes that the peer may still send. */
  #open: number;
  /** Bytes received and not consumed yet. */
  #held = 0;

  constructor(initialBytes: number) {
    this.#open = initialBytes;
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** False if the peer sent these bytes without credit, which breaks the protocol. */
  receive(bytes: number): boolean {
    if (bytes > this.#open) return false;
    this.#open -= bytes;
    this.#held += bytes;
    return true;
  }

  /** Received bytes are processed. */
  consume(bytes: number): void {
    if (bytes > this.#held) throw new RangeError("more is consumed than was received");
    this.#held -= bytes;
  }

  /**
   * Returns the bytes to grant now, and counts them as granted: enough for `windowBytes` open or held. 0 while that is
   * less than half a window; otherwise every few bytes would cost a message.
   */
  refill(windowBytes: number): number {
    const missing = windowBytes - this.#open - this.#held;
    if (missing <= 0 || missing < windowBytes / 2) return 0;
    this.#open += missing;
    return missing;
  }
}

/**
 * The window of each of `channels` channels that share `budgetBytes`. It is a whole number of usual messages; a
 * remainder would go out as a short message each time.
 */
export function channelWindow(budgetBytes: number, channels: number): number {
  const messages = Math.floor(budgetBytes / Math.max(1, channels) / usualDataBytes);
  return Math.min(maxChannelWindowBytes, Math.max(initialChannelCreditBytes, messages * usualDataBytes));
}
