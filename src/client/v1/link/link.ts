/**
 * One connection of protocol v1, from HELLO to its end: channels with their numbers, credit in both directions, roundRobin
 * of those that send, keepalive of life. What happens on a channel is its `ChannelHandler`'s; a link never connects again.
 */
import {
  initialConnectionCreditBytes,
  maxChannelNumber,
  maxChannels,
  streamTurnBytes,
  usualDataBytes,
} from "../../../base/limits/v1.ts";
import { type Crc32, portableCrc32 } from "../../../wire/v1/crc32.ts";
import { ReceiveWindow, SendCredit } from "../../../wire/v1/credit.ts";
import { dataHeadBytes, writeDataHead } from "../../../wire/v1/data.ts";
import { encodeMessage } from "../../../wire/v1/encode.ts";
import {
  type Ack,
  type ClientMessage,
  connectionChannel,
  type Data,
  type End,
  type Fault,
  type Hello,
  type Opened,
  type StreamList,
} from "../../../wire/v1/messages.ts";
import type { Connection, SocketFrame } from "../../transport/connection.ts";
import { ClientError } from "../../errors.ts";
import {
  answerTimeoutMs,
  maxWaitingChannels,
  streamHighWaterBytes,
  streamLowWaterBytes,
} from "../../limits.ts";
import { abortable } from "./abortable.ts";
import { greeting, helloOf, messageOf } from "./server-messages.ts";
import { refusalOf } from "../refusals.ts";
import { Keepalive } from "./keepalive.ts";
import { type RoundRobinEntry, RoundRobin } from "./round-robin.ts";

/** What a server says on a channel. The last three are its last words. */
export type ChannelMessage = Opened | Data | Ack | End | StreamList | Fault;

/** The client's side of a channel. */
export interface ChannelHandler {
  /** In the order of their arrival; nothing follows a last word. */
  received(message: ChannelMessage): void;
  /** The connection has ended before the last word. */
  lost(error: ClientError): void;
}

/** One that sends audio on its channel. */
export interface AudioSender extends RoundRobinEntry {
  readonly channel: number;
  readonly credit: SendCredit;
  /** What comes next, at most so many bytes, and is then counted as sent; undefined if there is nothing. */
  takePiece(maxBytes: number): { offset: number; payload: Uint8Array } | undefined;
}

export interface LinkOptions {
  /** What the server's log calls this program. */
  name: string;
  crc32?: Crc32 | undefined;
  /** The server goes and takes no new channels. */
  onLeaving(): void;
  /** Once, however it ends. */
  onEnd(error: ClientError): void;
}

interface OpenChannel {
  end: ChannelHandler;
  credit: SendCredit;
  sender: AudioSender | undefined;
}

export class Link {
  readonly server: Hello;
  readonly #connection: Connection;
  readonly #options: LinkOptions;
  readonly #crc32: Crc32;
  readonly #channels = new Map<number, OpenChannel>();
  readonly #maxChannels: number;
  readonly #pieceBytes: number;
  readonly #waiting: { wake: () => void }[] = [];
  readonly #keepalive: Keepalive;
  readonly #roundRobin = new RoundRobin<AudioSender>();
  readonly #credit: SendCredit;
  readonly #window = new ReceiveWindow(initialConnectionCreditBytes);
  /** Every DATA is put together here: sockets copy what they are given. */
  readonly #message: Uint8Array<ArrayBuffer>;
  #lastNumber = 0;
  #pumping = false;
  #leaving = false;
  #failure: ClientError | undefined;

  /** Greets the server and waits for its greeting. Throws what ended the connection, or OTHER_PROTOCOL. */
  static async open(connection: Connection, options: LinkOptions): Promise<Link> {
    connection.send(encodeMessage(greeting(options.name)));
    const frame = await connection.receive(performance.now() + answerTimeoutMs);
    if (frame === undefined) throw new ClientError("ANSWER_TIMEOUT", "the server does not greet");
    return new Link(connection, options, helloOf(frame));
  }

  private constructor(connection: Connection, options: LinkOptions, server: Hello) {
    this.#connection = connection;
    this.#options = options;
    this.server = server;
    this.#crc32 = options.crc32 ?? portableCrc32;
    this.#keepalive = new Keepalive(server.idleMs, performance.now());
    this.#credit = new SendCredit(server.connectionCredit);
    this.#maxChannels = Math.max(1, Math.min(server.maxChannels, maxChannels));
    this.#pieceBytes = Math.min(server.maxDataBytes, usualDataBytes);
    this.#message = new Uint8Array(dataHeadBytes + this.#pieceBytes);
    void this.#run();
  }

  /** Whether channels can be opened on it. */
  get isUsable(): boolean {
    return this.#failure === undefined && !this.#leaving;
  }

  get openChannels(): number {
    return this.#channels.size;
  }

  /** Opens a channel as soon as the server has room for one: gives it a number, and what opens it is sent at once. */
  async open(
    end: ChannelHandler,
    opening: (channel: number) => ClientMessage,
    signal?: AbortSignal,
  ): Promise<number> {
    while (this.#channels.size >= this.#maxChannels && this.isUsable) await this.#room(signal);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#leaving) throw new ClientError("BUSY", "the server is going");
    const channel = this.#freeNumber();
    const credit = new SendCredit(this.server.channelCredit);
    this.#channels.set(channel, { end, credit, sender: undefined });
    this.send(opening(channel));
    return channel;
  }

  /** What may be sent on an open channel. */
  creditOf(channel: number): SendCredit {
    const open = this.#channels.get(channel);
    if (open === undefined) throw new RangeError(`channel ${channel} is not open`);
    return open.credit;
  }

  /** Sends a message; on a link that has ended, nothing. */
  send(message: ClientMessage): void {
    this.#sendFrame(encodeMessage(message));
  }

  /** A sender has audio: it gets its roundRobin as far as there is credit. */
  ready(sender: AudioSender): void {
    const open = this.#channels.get(sender.channel);
    if (open === undefined || this.#failure !== undefined) return;
    open.sender = sender;
    if (sender.credit.bytes > 0) this.#roundRobin.add(sender);
    void this.#pump();
  }

  /** Another end takes what still comes on a channel. */
  replaceHandler(channel: number, end: ChannelHandler): void {
    const open = this.#channels.get(channel);
    if (open === undefined) return;
    open.end = end;
    if (open.sender !== undefined) this.#roundRobin.remove(open.sender);
    open.sender = undefined;
  }

  crc32(bytes: Uint8Array): number {
    return this.#crc32(bytes);
  }

  /** Ends the connection and with it every channel. */
  close(error: ClientError): void {
    this.#fail(error);
  }

  async #room(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= maxWaitingChannels) {
      throw new ClientError("BUSY", `${maxWaitingChannels} channels wait already`, undefined, {
        again: false,
      });
    }
    const waiter = { wake: () => undefined as void };
    const promise = new Promise<void>((resolve) => (waiter.wake = resolve));
    this.#waiting.push(waiter);
    try {
      await abortable(promise, signal);
    } catch (error) {
      const at = this.#waiting.indexOf(waiter);
      // Woken and aborted at once: the room is another's.
      if (at === -1) this.#waiting.shift()?.wake();
      else this.#waiting.splice(at, 1);
      throw error;
    }
  }

  #freeNumber(): number {
    do this.#lastNumber = (this.#lastNumber % maxChannelNumber) + 1;
    while (this.#channels.has(this.#lastNumber));
    return this.#lastNumber;
  }

  #sendFrame(frame: Uint8Array<ArrayBuffer>): void {
    if (this.#failure !== undefined) return;
    try {
      this.#connection.send(frame);
      this.#keepalive.sentMs = performance.now();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#failure === undefined) {
        if (this.#connection.bufferedBytes > streamHighWaterBytes) {
          await this.#connection.drained(streamLowWaterBytes);
        }
        const sender = this.#credit.bytes > 0 ? this.#roundRobin.next() : undefined;
        if (sender === undefined) return;
        this.#sendTurn(sender);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pumping = false;
    }
  }

  /** A few messages, one behind the other. */
  #sendTurn(sender: AudioSender): void {
    for (let left = streamTurnBytes; left > 0 && this.#failure === undefined;) {
      const room = Math.min(left, this.#credit.bytes, sender.credit.bytes, this.#pieceBytes);
      if (room === 0) break;
      const piece = sender.takePiece(room);
      if (piece === undefined) return;
      this.#sendPiece(sender, piece.offset, piece.payload);
      left -= piece.payload.length;
    }
    if (sender.credit.bytes > 0) this.#roundRobin.add(sender);
  }

  #sendPiece(sender: AudioSender, offset: number, payload: Uint8Array): void {
    this.#credit.spend(payload.length);
    sender.credit.spend(payload.length);
    const head = writeDataHead(
      this.#message,
      0,
      sender.channel,
      offset,
      this.#crc32(payload),
      payload.length,
    );
    this.#message.set(payload, head);
    this.#sendFrame(this.#message.subarray(0, head + payload.length));
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#connection.receive(this.#keepalive.dueMs);
        if (frame !== undefined) this.#take(frame);
        const nonce = this.#keepalive.check(performance.now());
        if (nonce !== undefined) this.send({ type: "PING", nonce });
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(frame: SocketFrame): void {
    this.#keepalive.receivedMs = performance.now();
    const message = messageOf(frame);
    if (message === undefined) return;
    switch (message.type) {
      case "PING":
        this.send({ type: "PONG", nonce: message.nonce });
        return;
      case "PONG":
        return;
      case "GOODBYE":
        this.#leave();
        return;
      case "HELLO":
        throw new ClientError("UNEXPECTED", "a second HELLO");
      case "CREDIT":
        this.#granted(message.channel, message.bytes);
        return;
      default:
        if (message.channel === connectionChannel && message.type === "ERROR") throw refusalOf(message);
        this.#onChannel(message);
    }
  }

  #onChannel(message: ChannelMessage): void {
    if (message.type === "DATA") this.#count(message.payload.length);
    const open = this.#channels.get(message.channel);
    if (open === undefined)
      throw new ClientError("UNEXPECTED", `${message.type} on a channel that is closed`);
    if (isLastWord(message)) this.#closed(message.channel, open);
    open.end.received(message);
  }

  /** Everything that comes goes to its channel at once, so that no channel can hold up another. */
  #count(bytes: number): void {
    if (!this.#window.receive(bytes)) throw new ClientError("UNEXPECTED", "audio without credit");
    this.#window.take(bytes);
    const granted = this.#window.refill(initialConnectionCreditBytes);
    if (granted > 0) this.send({ type: "CREDIT", channel: connectionChannel, bytes: granted });
  }

  #closed(channel: number, { sender }: OpenChannel): void {
    this.#channels.delete(channel);
    if (sender !== undefined) this.#roundRobin.remove(sender);
    this.#waiting.shift()?.wake();
    if (this.#leaving && this.#channels.size === 0) {
      this.#fail(new ClientError("CONNECTION_LOST", "the server has gone"));
    }
  }

  #granted(channel: number, bytes: number): void {
    const open = this.#channels.get(channel);
    // Credit for a channel that is closed by now was on its way.
    const credit = channel === connectionChannel ? this.#credit : open?.credit;
    if (credit !== undefined && !credit.grant(bytes)) throw new ClientError("UNEXPECTED", "too much credit");
    if (open?.sender !== undefined) this.#roundRobin.add(open.sender);
    void this.#pump();
  }

  #leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    for (const { wake } of this.#waiting.splice(0)) wake();
    this.#options.onLeaving();
    if (this.#channels.size === 0) this.#fail(new ClientError("CONNECTION_LOST", "the server has gone"));
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    const failure = failureOf(cause);
    this.#failure = failure;
    this.#connection.close();
    for (const { wake } of this.#waiting.splice(0)) wake();
    const ends = Array.from(this.#channels.values(), ({ end }) => end);
    this.#channels.clear();
    for (const end of ends) end.lost(failure);
    this.#options.onEnd(failure);
  }
}

function isLastWord({ type }: ChannelMessage): boolean {
  return type === "END" || type === "STREAMS" || type === "ERROR";
}

/** An abort of the connection's own signal and faults of the program stay visible as what ended it. */
function failureOf(cause: unknown): ClientError {
  if (cause instanceof ClientError) return cause;
  return new ClientError("CONNECTION_LOST", cause instanceof Error ? cause.message : String(cause));
}
