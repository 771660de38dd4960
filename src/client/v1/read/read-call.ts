/** One attempt to read or follow: takes audio within the credit that it gives, as its reader takes it. */
import { initialChannelCreditBytes, receiveBudgetBytes } from "../../../base/limits/v1.ts";
import { channelWindow, ReceiveWindow } from "../../../wire/v1/credit.ts";
import type { Data, End, Opened } from "../../../wire/v1/messages.ts";
import { ClientError } from "../../errors.ts";
import { Call, unexpected } from "../link/call.ts";
import type { ReceiveQueue } from "./receive-queue.ts";
import type { ChannelMessage, Link } from "../link/link.ts";

/** How many readings share the memory for what is on its way. */
export interface ReceiveBudget {
  readers: number;
}

/** What lasts longer than an attempt. */
export interface ReadState {
  receiveQueue: ReceiveQueue;
  budget: ReceiveBudget;
  /** Both throw where the server says what cannot be. */
  opened(message: Opened): void;
  came(message: Data): void;
}

/** Resolves with the END. */
export class ReadCall extends Call<End> {
  readonly #state: ReadState;
  readonly #window = new ReceiveWindow(initialChannelCreditBytes);
  #isOpen = false;

  constructor(link: Link, state: ReadState) {
    super(link);
    this.#state = state;
  }

  protected override take(message: ChannelMessage): void {
    if (message.type === "DATA") this.#data(message);
    else if (message.type === "END") this.succeed(message);
    else if (message.type === "OPENED") this.#opened(message);
    else throw unexpected(message);
  }

  #opened(message: Opened): void {
    this.expect(undefined);
    this.#isOpen = true;
    this.#state.opened(message);
    this.#refill();
  }

  #data(message: Data): void {
    const { crc, payload } = message;
    if (!this.#isOpen) throw unexpected(message);
    if (!this.#window.receive(payload.length)) throw new ClientError("UNEXPECTED", "audio without credit");
    if (crc !== undefined && crc !== this.link.crc32(payload)) {
      throw new ClientError("BUSY", "audio was changed on its way");
    }
    this.#state.came(message);
    this.#state.receiveQueue.push(payload, () => {
      this.#window.take(payload.length);
      this.#refill();
    });
  }

  #refill(): void {
    if (this.isOver) return;
    const bytes = this.#window.refill(channelWindow(receiveBudgetBytes, this.#state.budget.readers));
    if (bytes > 0) this.link.send({ type: "CREDIT", channel: this.channel, bytes });
  }
}
