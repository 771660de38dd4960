/** A client of reliable UDP in steps: the test decides which message it sends, and through which socket. */
import {
  blockBytes,
  decodeReliable,
  encodeReliable,
  type ReliableMessage,
  tokenBytes,
} from "../../../wire/reliable-udp.ts";
import { until } from "../until.ts";
import type { RawUdp } from "./raw-udp.ts";

const waitMs = 10_000;
/** Blocks that may be in flight. */
const windowBlocks = 64;

export class ReliableUdpPeer {
  readonly id: bigint;
  readonly name: string;
  /** Datagrams that were not messages of this protocol. */
  unreadable = 0;
  readonly #blocks = new Map<number, Uint8Array>();
  #size = 0;
  #next = 0;
  #stamp = 0;

  constructor(name: string, id: bigint) {
    this.name = name;
    this.id = id;
  }

  /** Blocks that have arrived in order. */
  get next(): number {
    return this.#next;
  }

  /** The request; without a token, one with zeros. */
  request(token: Uint8Array = new Uint8Array(tokenBytes)): Uint8Array {
    return encodeReliable({
      type: "request",
      transfer: this.id,
      token,
      limit: windowBlocks,
      name: this.name,
    });
  }

  ack(): Uint8Array {
    const seen = Math.max(this.#next, ...this.#blocks.keys().map((block) => block + 1));
    const missing = Array.from({ length: seen - this.#next }, (_, at) => this.#next + at)
      .filter((block) => !this.#blocks.has(block))
      .slice(0, windowBlocks)
      .map((block) => ({ from: block, to: block + 1 }));
    const limit = this.#next + windowBlocks;
    const stamp = this.#stamp;
    return encodeReliable({
      type: "ack",
      transfer: this.id,
      next: this.#next,
      limit,
      seen,
      stamp,
      heldMs: 0,
      missing,
    });
  }

  close(): Uint8Array {
    return encodeReliable({ type: "close", transfer: this.id, complete: false });
  }

  /** Gets a token for the socket's address. `asking` is what makes the server send one. */
  async token(via: RawUdp, asking = this.request()): Promise<Uint8Array> {
    via.send(asking);
    const message = await until("a token", waitMs, () =>
      this.#take(via).find(({ type }) => type === "token"),
    );
    return (message as ReliableMessage & { type: "token" }).token.slice();
  }

  /** Begins the transfer, or moves it to the socket's address. */
  async begin(via: RawUdp, token: Uint8Array): Promise<void> {
    via.send(this.request(token));
    await until("the song", waitMs, () => this.#take(via).some(({ type }) => type === "song"));
  }

  /** Acknowledges what arrives, until that many blocks have arrived in order; returns their bytes. */
  async receive(via: RawUdp, blocks = Infinity): Promise<Uint8Array> {
    await until("the blocks", waitMs, () => {
      this.#take(via);
      via.send(this.ack());
      return this.#next >= Math.min(blocks, Math.ceil(this.#size / blockBytes));
    });
    return Buffer.concat(Array.from({ length: this.#next }, (_, block) => this.#blocks.get(block)!));
  }

  /** Handles the messages that have arrived on a socket, and returns them. */
  #take(via: RawUdp): ReliableMessage[] {
    const datagrams = via.received.splice(0);
    const messages = datagrams.flatMap((datagram) => decodeReliable(datagram) ?? []);
    this.unreadable += datagrams.length - messages.length;
    for (const message of messages) {
      if (message.type === "song") this.#size = message.size;
      if (message.type !== "data") continue;
      this.#blocks.set(message.block, message.bytes);
      this.#stamp = message.stamp;
    }
    while (this.#blocks.has(this.#next)) this.#next += 1;
    return messages;
  }
}
