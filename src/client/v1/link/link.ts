/**
 * One connection of protocol v1, from HELLO to its end: it passes the server's messages to their channels, grants
 * credit, and keeps the connection alive. A link never reconnects.
 */
import { initialConnectionCreditBytes } from "../../../base/limits/v1.ts";
import { type Crc32, portableCrc32 } from "../../../wire/v1/crc32.ts";
import { ReceiveWindow, type SendCredit } from "../../../wire/v1/credit.ts";
import { encodeMessage } from "../../../wire/v1/encode.ts";
import { type ClientMessage, connectionChannel, type Hello } from "../../../wire/v1/messages.ts";
import type { Connection, SocketFrame } from "../../transport/connection.ts";
import { ClientError } from "../../errors.ts";
import { answerTimeoutMs } from "../../limits.ts";
import { type ChannelHandler, type ChannelMessage, ChannelTable } from "./channel-table.ts";
import { clientHello, serverHelloOf, serverMessageOf } from "./server-messages.ts";
import { refusalOf } from "../refusals.ts";
import { Keepalive } from "./keepalive.ts";
import { type AudioSender, UploadScheduler } from "./upload-scheduler.ts";

export interface LinkOptions {
  /** The program's name in the server's log. */
  name: string;
  token?: string | undefined;
  crc32?: Crc32 | undefined;
  /** The server shuts down and takes no new channels. */
  onLeaving(): void;
  /** The link has ended. Called once. */
  onEnd(error: ClientError): void;
}

/** Receives what the server still sends on a channel that the client has closed. */
const ignoring: ChannelHandler = { onMessage: () => undefined, onLost: () => undefined };

export class Link {
  readonly server: Hello;
  readonly crc32: Crc32;
  readonly #connection: Connection;
  readonly #options: LinkOptions;
  readonly #channels: ChannelTable;
  readonly #uploads: UploadScheduler;
  readonly #keepalive: Keepalive;
  /** The credit that the server has for the connection. */
  readonly #window = new ReceiveWindow(initialConnectionCreditBytes);
  #isLeaving = false;
  #failure: ClientError | undefined;

  /** Exchanges HELLO with the server. Throws ANSWER_TIMEOUT, OTHER_PROTOCOL, or what ended the connection. */
  static async open(connection: Connection, options: LinkOptions): Promise<Link> {
    connection.send(encodeMessage(clientHello(options.name, options.token)));
    const frame = await connection.receive(performance.now() + answerTimeoutMs);
    if (frame === undefined) throw new ClientError("ANSWER_TIMEOUT", "the server sends no HELLO");
    return new Link(connection, options, serverHelloOf(frame));
  }

  private constructor(connection: Connection, options: LinkOptions, server: Hello) {
    this.#connection = connection;
    this.#options = options;
    this.server = server;
    this.crc32 = options.crc32 ?? portableCrc32;
    this.#keepalive = new Keepalive(server.idleMs, performance.now());
    this.#channels = new ChannelTable(server);
    this.#uploads = new UploadScheduler(connection, server, this.crc32, {
      sendFrame: (frame) => this.#sendFrame(frame),
      onError: (error) => this.#fail(error),
    });
    void this.#receiveAll();
  }

  /** Whether the link takes new channels. */
  get isUsable(): boolean {
    return this.#failure === undefined && !this.#isLeaving;
  }

  /**
   * Opens a channel once the server allows another one: chooses its number and sends the message that `opening` makes.
   * Throws BUSY if the server shuts down or too many calls wait, what ended the link, or the reason of the signal.
   */
  async open(
    handler: ChannelHandler,
    opening: (channel: number) => ClientMessage,
    signal?: AbortSignal,
  ): Promise<number> {
    while (this.#channels.isFull && this.isUsable) await this.#channels.waitForRoom(signal);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isLeaving) throw new ClientError("BUSY", "the server is shutting down");
    const channel = this.#channels.add(handler);
    this.send(opening(channel));
    return channel;
  }

  /** Closes an open channel. What the server still sends on it is ignored. */
  closeChannel(channel: number, discard: boolean): void {
    const open = this.#channels.get(channel);
    if (open === undefined) return;
    open.handler = ignoring;
    if (open.sender !== undefined) this.#uploads.remove(open.sender);
    open.sender = undefined;
    this.send({ type: "CLOSE", channel, discard });
  }

  /** What may be sent on an open channel. */
  creditOf(channel: number): SendCredit {
    const open = this.#channels.get(channel);
    if (open === undefined) throw new RangeError(`channel ${channel} is not open`);
    return open.credit;
  }

  /** Sends a message; does nothing once the link has ended. */
  send(message: ClientMessage): void {
    this.#sendFrame(encodeMessage(message));
  }

  /** Sends a sender's audio as far as there is credit. To be called whenever it has more. */
  schedule(sender: AudioSender): void {
    const open = this.#channels.get(sender.channel);
    if (open === undefined || this.#failure !== undefined) return;
    open.sender = sender;
    this.#uploads.add(sender);
  }

  /** Ends the connection and all its channels. */
  close(error: ClientError): void {
    this.#fail(error);
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

  async #receiveAll(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#connection.receive(this.#keepalive.dueMs);
        if (frame !== undefined) this.#dispatch(frame);
        const nonce = this.#keepalive.check(performance.now());
        if (nonce !== undefined) this.send({ type: "PING", nonce });
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #dispatch(frame: SocketFrame): void {
    this.#keepalive.receivedMs = performance.now();
    const message = serverMessageOf(frame);
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
        this.#addCredit(message.channel, message.bytes);
        return;
      default:
        if (message.channel === connectionChannel && message.type === "ERROR") throw refusalOf(message);
        this.#dispatchToChannel(message);
    }
  }

  #dispatchToChannel(message: ChannelMessage): void {
    const { channel, type } = message;
    if (type === "DATA") this.#countReceived(message.payload.length);
    const open = this.#channels.get(channel);
    if (open === undefined) throw new ClientError("UNEXPECTED", `${type} on a closed channel`);
    if (endsChannel(message)) {
      if (open.sender !== undefined) this.#uploads.remove(open.sender);
      this.#channels.delete(channel);
      this.#endIfLeft();
    }
    open.handler.onMessage(message);
  }

  /** Grants the bytes again at once: a slow reader blocks its own channel, never the connection. */
  #countReceived(bytes: number): void {
    if (!this.#window.receive(bytes)) throw new ClientError("UNEXPECTED", "audio without credit");
    this.#window.consume(bytes);
    const grantedBytes = this.#window.refill(initialConnectionCreditBytes);
    if (grantedBytes > 0) this.send({ type: "CREDIT", channel: connectionChannel, bytes: grantedBytes });
  }

  #addCredit(channel: number, bytes: number): void {
    if (channel === connectionChannel) {
      if (!this.#uploads.grant(bytes)) throw tooMuchCredit();
      return;
    }
    const open = this.#channels.get(channel);
    // The server may grant credit before it learns that the channel is closed.
    if (open === undefined) return;
    if (!open.credit.grant(bytes)) throw tooMuchCredit();
    if (open.sender !== undefined) this.#uploads.add(open.sender);
  }

  #leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#channels.wakeAll();
    this.#options.onLeaving();
    this.#endIfLeft();
  }

  /** Ends a link that the server leaves, once no channel is open any more. */
  #endIfLeft(): void {
    if (!this.#isLeaving || !this.#channels.isEmpty) return;
    this.#fail(new ClientError("CONNECTION_LOST", "the server has shut down"));
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    const failure = failureOf(cause);
    this.#failure = failure;
    this.#uploads.close();
    this.#connection.close();
    this.#channels.wakeAll();
    for (const handler of this.#channels.clear()) handler.onLost(failure);
    this.#options.onEnd(failure);
  }
}

function tooMuchCredit(): ClientError {
  return new ClientError("UNEXPECTED", "more credit than the protocol allows");
}

function endsChannel({ type }: ChannelMessage): boolean {
  return type === "END" || type === "STREAMS" || type === "ERROR";
}

/** Wraps other errors, such as a failed send, and keeps their text. */
function failureOf(cause: unknown): ClientError {
  if (cause instanceof ClientError) return cause;
  return new ClientError("CONNECTION_LOST", cause instanceof Error ? cause.message : String(cause));
}
