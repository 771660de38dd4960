/**
 * A connection of the bench over protocol v1: passes the messages of each channel on, keeps the credit of the
 * connection, and has no queue.
 */
import { initialConnectionCreditBytes, maxDataBytes } from "../../src/base/limits/v1.ts";
import { ClientError } from "../../src/client/errors.ts";
import { connectTimeoutMs } from "../../src/client/limits.ts";
import { channelWindow, ReceiveWindow, SendCredit } from "../../src/wire/v1/credit.ts";
import { dataHeadBytes, writeDataHead } from "../../src/wire/v1/data.ts";
import { decodeServerMessage } from "../../src/wire/v1/decode.ts";
import { encodeMessage } from "../../src/wire/v1/encode.ts";
import {
  type ClientMessage,
  type Hello,
  revision,
  type ServerMessage,
  subprotocol,
} from "../../src/wire/v1/messages.ts";

export type ChannelMessage = Extract<ServerMessage, { channel: number }>;

/** The events of a channel for its transfer. */
export interface ChannelListener {
  message(message: ChannelMessage): void;
  lost(reason: string): void;
}

/** Credit for all channels of a connection together. */
const budgetBytes = 32 * 1024 * 1024;

export class V1Link {
  readonly credit: SendCredit;
  /** Credit left to send on each channel. */
  readonly windowBytes: number;
  /** The server's initial credit of each channel. */
  readonly channelCreditBytes: number;
  readonly #socket: WebSocket;
  readonly #window = new ReceiveWindow(initialConnectionCreditBytes);
  readonly #listeners = new Map<number, ChannelListener>();
  readonly #before = new Uint8Array(dataHeadBytes);
  #lastChannel = 0;
  #lostReason: string | undefined;

  /** Connects for about `channels` concurrent transfers. */
  static async connect(url: string, channels: number): Promise<V1Link> {
    const windowBytes = channelWindow(budgetBytes, channels);
    const socket = new WebSocket(url, { protocols: subprotocol, perMessageDeflate: false });
    socket.binaryType = "arraybuffer";
    const { promise: greeted, resolve, reject } = Promise.withResolvers<Hello>();
    socket.onopen = () =>
      socket.send(
        encodeMessage({
          type: "HELLO",
          revision,
          name: "bench",
          connectionCredit: initialConnectionCreditBytes,
          channelCredit: windowBytes,
          maxChannels: 0,
          maxDataBytes,
          idleMs: 0,
        }),
      );
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      const message = decodeServerMessage(new Uint8Array(data));
      if (message.type === "HELLO") resolve(message);
      else reject(new ClientError("UNREACHABLE", url));
    };
    socket.onerror = () => reject(new ClientError("UNREACHABLE", url));
    const timer = setTimeout(() => reject(new ClientError("CONNECT_TIMEOUT", url)), connectTimeoutMs);
    const hello = await greeted.finally(() => clearTimeout(timer));
    return new V1Link(socket, hello, windowBytes);
  }

  private constructor(socket: WebSocket, hello: Hello, windowBytes: number) {
    this.#socket = socket;
    this.credit = new SendCredit(hello.connectionCredit);
    this.channelCreditBytes = hello.channelCredit;
    this.windowBytes = windowBytes;
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.#take(new Uint8Array(data));
    socket.onclose = ({ code, reason }) => this.#lose(`the server closed with ${code} ${reason}`.trim());
  }

  /** Opens a channel whose messages go to `listener` until `forget`. */
  channel(listener: ChannelListener): number {
    do this.#lastChannel = (this.#lastChannel % 65_535) + 1;
    while (this.#listeners.has(this.#lastChannel));
    this.#listeners.set(this.#lastChannel, listener);
    if (this.#lostReason !== undefined) listener.lost(this.#lostReason);
    return this.#lastChannel;
  }

  forget(channel: number): void {
    this.#listeners.delete(channel);
  }

  send(message: ClientMessage): void {
    this.#socket.send(encodeMessage(message));
  }

  /**
   * Sends audio within the channel's credit. Writes the head in place before the audio and then restores the bytes there:
   * the socket copies its input, and another copy would slow this protocol alone.
   */
  data(channel: number, offset: number, audio: Uint8Array<ArrayBuffer>): void {
    this.credit.spend(audio.length);
    const at = audio.byteOffset - dataHeadBytes;
    const message = new Uint8Array(audio.buffer, at, dataHeadBytes + audio.length);
    this.#before.set(message.subarray(0, dataHeadBytes));
    writeDataHead(message, 0, channel, offset, Bun.hash.crc32(audio), audio.length);
    this.#socket.send(message);
    message.set(this.#before);
  }

  /** Bytes sent that the kernel has not accepted yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  close(): void {
    this.#listeners.clear();
    this.#socket.close();
  }

  #take(frame: Uint8Array): void {
    const message = decodeServerMessage(frame);
    switch (message.type) {
      case "DATA":
        this.#received(message.payload.length);
        return this.#listeners.get(message.channel)?.message(message);
      case "CREDIT":
        if (message.channel !== 0) return this.#listeners.get(message.channel)?.message(message);
        return void this.credit.grant(message.bytes);
      case "ERROR":
        if (message.channel === 0) return this.#lose(message.message);
        return this.#listeners.get(message.channel)?.message(message);
      case "ACK":
      case "OPENED":
      case "END":
      case "STREAMS":
        return this.#listeners.get(message.channel)?.message(message);
      case "PING":
        return this.send({ type: "PONG", nonce: message.nonce });
      case "MALFORMED":
        return this.#lose(message.reason);
    }
  }

  #received(bytes: number): void {
    if (!this.#window.receive(bytes)) return this.#lose("the server sent more than its credit");
    this.#window.consume(bytes);
    const grant = this.#window.refill(initialConnectionCreditBytes);
    if (grant > 0) this.send({ type: "CREDIT", channel: 0, bytes: grant });
  }

  #lose(reason: string): void {
    this.#lostReason ??= reason;
    for (const listener of this.#listeners.values()) listener.lost(reason);
  }
}

/** Opens `count` connections concurrently, for `streams` transfers in all. */
export async function connectLinks(url: string, count: number, streams: number): Promise<V1Link[]> {
  const share = Math.ceil(streams / count);
  return await Promise.all(Array.from({ length: count }, () => V1Link.connect(url, share)));
}
