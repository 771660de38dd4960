/** One attempt to read or follow a stream: receives audio and grants credit as its reader reads it. */
import { initialChannelCreditBytes, receiveBudgetBytes } from "../../../base/limits/v1.ts";
import { channelWindow, ReceiveWindow } from "../../../wire/v1/credit.ts";
import type { Data, End, Opened } from "../../../wire/v1/messages.ts";
import { ClientError } from "../../errors.ts";
import { Call, unexpectedMessage } from "../link/call.ts";
import type { ChannelMessage } from "../link/channel-table.ts";
import type { ReceiveQueue } from "./receive-queue.ts";
import type { Link } from "../link/link.ts";

/** The readers of one client, which share `receiveBudgetBytes` for their windows. */
export interface ReceiveBudget {
  readers: number;
}

/** The state of a read that all its attempts share. The callbacks throw for messages that contradict it. */
export interface ReadState {
  receiveQueue: ReceiveQueue;
  budget: ReceiveBudget;
  onOpened(message: Opened): void;
  onData(message: Data): void;
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

  protected override handle(message: ChannelMessage): void {
    if (message.type === "DATA") this.#receive(message);
    else if (message.type === "END") this.succeed(message);
    else if (message.type === "OPENED") this.#begin(message);
    else throw unexpectedMessage(message);
  }

  #begin(message: Opened): void {
    this.expectWithin(undefined);
    this.#isOpen = true;
    this.#state.onOpened(message);
    this.#grantCredit();
  }

  #receive(message: Data): void {
    const { crc, payload } = message;
    if (!this.#isOpen) throw unexpectedMessage(message);
    if (!this.#window.receive(payload.length)) throw new ClientError("UNEXPECTED", "audio without credit");
    if (crc !== undefined && crc !== this.link.crc32(payload)) {
      throw new ClientError("BUSY", "the audio arrived damaged");
    }
    this.#state.onData(message);
    this.#state.receiveQueue.push(payload, () => {
      this.#window.consume(payload.length);
      this.#grantCredit();
    });
  }

  #grantCredit(): void {
    if (this.isOver) return;
    const bytes = this.#window.refill(channelWindow(receiveBudgetBytes, this.#state.budget.readers));
    if (bytes > 0) this.link.send({ type: "CREDIT", channel: this.channel, bytes });
  }
}
