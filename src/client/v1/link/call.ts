/** One call to the server: one channel of one link, from the message that opens it to the message that ends it. */
import type { ClientMessage } from "../../../wire/v1/messages.ts";
import { ClientError } from "../../errors.ts";
import { answerTimeoutMs } from "../../limits.ts";
import type { ChannelHandler, ChannelMessage } from "./channel-table.ts";
import type { Link } from "./link.ts";
import { refusalOf } from "../refusals.ts";

export abstract class Call<T> implements ChannelHandler {
  protected readonly link: Link;
  protected isOver = false;
  #channel = 0;
  #timer: Timer | undefined;
  readonly #result: Promise<T>;
  #resolve: (value: T) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(link: Link) {
    this.link = link;
    this.#result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // `run` throws before it awaits the result if the link cannot open the channel.
    this.#result.catch(() => undefined);
  }

  get channel(): number {
    return this.#channel;
  }

  /**
   * Opens the channel and resolves with what the subclass passes to `succeed`. Throws the server's ERROR, the loss of
   * the connection, ANSWER_TIMEOUT, or the reason of the signal.
   */
  async run(opening: (channel: number) => ClientMessage, signal: AbortSignal): Promise<T> {
    const abort = () => this.abandon(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", abort);
    try {
      const open = (channel: number) => {
        this.#channel = channel;
        return opening(channel);
      };
      await this.link.open(this, open, signal);
      this.expectWithin(answerTimeoutMs);
      return await this.#result;
    } finally {
      this.#end();
      signal.removeEventListener("abort", abort);
    }
  }

  onMessage(message: ChannelMessage): void {
    try {
      if (message.type === "ERROR") this.fail(refusalOf(message));
      else this.handle(message);
    } catch (error) {
      this.abandon(error);
    }
  }

  onLost(error: ClientError): void {
    this.fail(error);
  }

  /** Handles any message but ERROR. The call ends with what this throws. */
  protected abstract handle(message: Exclude<ChannelMessage, { type: "ERROR" }>): void;

  /** Whether the server discards an upload that the client abandons, instead of keeping it to be resumed. */
  protected get discardsUpload(): boolean {
    return false;
  }

  /** Ends the call with ANSWER_TIMEOUT unless it is called again in time; undefined waits without limit. */
  protected expectWithin(timeoutMs: number | undefined): void {
    clearTimeout(this.#timer);
    if (this.isOver || timeoutMs === undefined) return;
    this.#timer = setTimeout(() => this.abandon(new ClientError("ANSWER_TIMEOUT")), timeoutMs);
  }

  protected succeed(value: T): void {
    this.#end();
    this.#resolve(value);
  }

  protected fail(error: unknown): void {
    if (this.isOver) return;
    this.#end();
    this.#reject(error);
  }

  /** Closes the channel without waiting for the server, and fails with this error. */
  protected abandon(error: unknown): void {
    if (this.isOver) return;
    if (this.#channel > 0) this.link.closeChannel(this.#channel, this.discardsUpload);
    this.fail(error);
  }

  /** Called once, however the call ends. */
  protected onEnd(): void {}

  #end(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.#timer);
    this.onEnd();
  }
}

export function unexpectedMessage(message: ChannelMessage): ClientError {
  return new ClientError("UNEXPECTED", `${message.type} on this channel`);
}
