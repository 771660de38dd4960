/** One channel of one link, from what opens it to its last word. */
import type { ClientMessage } from "../../../wire/v1/messages.ts";
import { ClientError } from "../../errors.ts";
import { answerTimeoutMs } from "../../limits.ts";
import type { ChannelHandler, ChannelMessage, Link } from "./link.ts";
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
    // What fails before the channel is open is thrown there.
    this.#result.catch(() => undefined);
  }

  get channel(): number {
    return this.#channel;
  }

  /**
   * Opens the channel and resolves as the subclass says; rejects with the server's ERROR, the loss of the connection, a
   * late answer, or the reason of the signal.
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
      this.expect(answerTimeoutMs);
      return await this.#result;
    } finally {
      this.#end();
      signal.removeEventListener("abort", abort);
    }
  }

  received(message: ChannelMessage): void {
    try {
      if (message.type === "ERROR") this.fail(refusalOf(message));
      else this.take(message);
    } catch (error) {
      this.abandon(error);
    }
  }

  lost(error: ClientError): void {
    this.fail(error);
  }

  /** What the server says but ERROR; what this throws ends the call. */
  protected abstract take(message: Exclude<ChannelMessage, { type: "ERROR" }>): void;

  /** Whether what is there of an upload is to go when the call ends early. */
  protected get discards(): boolean {
    return false;
  }

  /** Something has to come within this time; undefined for as long as it takes. */
  protected expect(limitMs: number | undefined): void {
    clearTimeout(this.#timer);
    if (this.isOver || limitMs === undefined) return;
    this.#timer = setTimeout(() => this.abandon(new ClientError("ANSWER_TIMEOUT")), limitMs);
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

  /** Ends it from here; the server's last word is not waited for. */
  protected abandon(error: unknown): void {
    if (this.isOver) return;
    if (this.#channel > 0) {
      this.link.replaceHandler(this.#channel, ignored);
      this.link.send({ type: "CLOSE", channel: this.#channel, discard: this.discards });
    }
    this.fail(error);
  }

  /** Called once, however it ends. */
  protected ended(): void {}

  #end(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.#timer);
    this.ended();
  }
}

/** What still comes on a channel that nobody waits for. */
const ignored: ChannelHandler = { received: () => undefined, lost: () => undefined };

export function unexpected(message: ChannelMessage): ClientError {
  return new ClientError("UNEXPECTED", `${message.type} on this channel`);
}
