/**
 * Keeps retained topics equal to what they describe. Changes mark an id; the messages are made when they are sent, one
 * after the other, so changes that come faster than the broker takes them are sent once, in their latest state.
 */
import type { RateLimitedLog } from "../../base/log/rate-limited-log.ts";

export interface Message {
  topic: string;
  payload: string;
}

/** The retained messages about one thing. */
export interface Description {
  /** Sent once a connection, before the states. */
  configs: Message[];
  /** Sent if one of them has changed. */
  states: Message[];
}

export interface Described {
  /** Undefined for a thing that is gone. */
  describe(id: string): Description | undefined;
  /** All topics of a thing, which are cleared when it is gone. */
  topics(id: string): string[];
}

type Publish = (topic: string, payload: string, isRetained: true) => Promise<void>;

export class RetainedStates {
  readonly #described: Described;
  readonly #publish: Publish;
  readonly #log: RateLimitedLog;
  readonly #marked = new Set<string>();
  /** A hash of the states that the broker has of each thing. */
  readonly #sent = new Map<string, number | bigint>();
  #isSending = false;
  #isClosed = false;

  constructor(described: Described, publish: Publish, log: RateLimitedLog) {
    this.#described = described;
    this.#publish = publish;
    this.#log = log;
  }

  mark(id: string): void {
    this.#marked.add(id);
    if (!this.#isSending && !this.#isClosed) void this.#send();
  }

  /** Another node shows this one from now on. */
  forget(id: string): void {
    this.#marked.delete(id);
    this.#sent.delete(id);
  }

  /** The broker may have lost everything. */
  markAll(ids: Iterable<string>): void {
    this.#sent.clear();
    for (const id of ids) this.mark(id);
  }

  close(): void {
    this.#isClosed = true;
    this.#marked.clear();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    // Several changes of one moment become one message.
    await Promise.resolve();
    for (const id of this.#marked) {
      this.#marked.delete(id);
      try {
        await this.#sendOne(id);
      } catch (error) {
        this.#sent.delete(id);
        this.#log.warn("the MQTT broker does not take a state", { id, error });
      }
    }
    this.#isSending = false;
  }

  async #sendOne(id: string): Promise<void> {
    const description = this.#described.describe(id);
    if (description === undefined) return await this.#clear(id);
    const hash = Bun.hash(JSON.stringify(description.states));
    const known = this.#sent.get(id);
    if (known === hash) return;
    const messages =
      known === undefined ? [...description.configs, ...description.states] : description.states;
    this.#sent.set(id, hash);
    for (const { topic, payload } of messages) await this.#publish(topic, payload, true);
  }

  /** A retained message without a payload removes the one before. */
  async #clear(id: string): Promise<void> {
    this.#sent.delete(id);
    for (const topic of this.#described.topics(id)) await this.#publish(topic, "", true);
  }
}
