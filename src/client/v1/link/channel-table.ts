/** The channels of one link: their numbers, the server's limit, and the callers that wait for a free channel. */
import { maxChannelNumber, maxChannels } from "../../../base/limits/v1.ts";
import { SendCredit } from "../../../wire/v1/credit.ts";
import type { Ack, Data, End, Fault, Hello, Opened, StreamList } from "../../../wire/v1/messages.ts";
import { ClientError } from "../../errors.ts";
import { maxWaitingChannels } from "../../limits.ts";
import { abortable } from "./abortable.ts";
import type { AudioSender } from "./upload-scheduler.ts";

/** Messages of the server on a channel. END, STREAMS and ERROR end it. */
export type ChannelMessage = Opened | Data | Ack | End | StreamList | Fault;

/** Receives the messages of one channel. */
export interface ChannelHandler {
  /** Messages come in order; none follows the message that ends the channel. */
  onMessage(message: ChannelMessage): void;
  /** The connection ended before the channel did. */
  onLost(error: ClientError): void;
}

export interface OpenChannel {
  handler: ChannelHandler;
  /** What the client may send on it. */
  readonly credit: SendCredit;
  /** Set while the channel sends audio. */
  sender: AudioSender | undefined;
}

export class ChannelTable {
  readonly #channels = new Map<number, OpenChannel>();
  readonly #maxChannels: number;
  readonly #initialCreditBytes: number;
  readonly #waiters: { wake: () => void }[] = [];
  #lastNumber = 0;

  constructor(server: Hello) {
    this.#maxChannels = Math.max(1, Math.min(server.maxChannels, maxChannels));
    this.#initialCreditBytes = server.channelCredit;
  }

  get isFull(): boolean {
    return this.#channels.size >= this.#maxChannels;
  }

  get isEmpty(): boolean {
    return this.#channels.size === 0;
  }

  get(number: number): OpenChannel | undefined {
    return this.#channels.get(number);
  }

  /** Adds a channel and returns its number. The table must not be full. */
  add(handler: ChannelHandler): number {
    const number = this.#freeNumber();
    const credit = new SendCredit(this.#initialCreditBytes);
    this.#channels.set(number, { handler, credit, sender: undefined });
    return number;
  }

  /** Removes a channel and wakes one caller that waits for it. */
  delete(number: number): void {
    this.#channels.delete(number);
    this.#waiters.shift()?.wake();
  }

  /**
   * Resolves once a channel may be free; callers wait in order. Throws BUSY if too many wait already, or the reason of
   * the signal.
   */
  async waitForRoom(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiters.length >= maxWaitingChannels) {
      const detail = `${maxWaitingChannels} calls already wait for a channel`;
      throw new ClientError("BUSY", detail, undefined, { again: false });
    }
    const waiter = { wake: () => undefined as void };
    const promise = new Promise<void>((resolve) => (waiter.wake = resolve));
    this.#waiters.push(waiter);
    try {
      await abortable(promise, signal);
    } catch (error) {
      const at = this.#waiters.indexOf(waiter);
      // Woken and aborted at the same time: pass the free channel on, or the next waiter would never wake.
      if (at === -1) this.#waiters.shift()?.wake();
      else this.#waiters.splice(at, 1);
      throw error;
    }
  }

  /** Wakes all waiting callers; they find that the link takes no more channels. */
  wakeAll(): void {
    for (const { wake } of this.#waiters.splice(0)) wake();
  }

  /** Removes all channels and returns their handlers. */
  clear(): ChannelHandler[] {
    const handlers = Array.from(this.#channels.values(), ({ handler }) => handler);
    this.#channels.clear();
    return handlers;
  }

  #freeNumber(): number {
    do this.#lastNumber = (this.#lastNumber % maxChannelNumber) + 1;
    while (this.#channels.has(this.#lastNumber));
    return this.#lastNumber;
  }
}
