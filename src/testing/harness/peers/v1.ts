/**
 * A peer of protocol v1 over bare frames. It sorts messages by channel and keeps track of the credit it receives. The
 * test decides what credit it grants, and everything wrong that it sends.
 */
import { crc32 } from "node:zlib";
import { SendCredit } from "../../../wire/v1/credit.ts";
import { decodeServerMessage } from "../../../wire/v1/decode.ts";
import { encodeMessage } from "../../../wire/v1/encode.ts";
import {
  type Ack,
  type ClientMessage,
  type Data,
  type End,
  type Fault,
  type Hello,
  type Metadata,
  type Opened,
  type ServerMessage,
  type StreamList,
  subprotocol,
} from "../../../wire/v1/messages.ts";
import { defaultLimitMs, RawWebSocket } from "./raw-websocket.ts";
import { within } from "../until.ts";
import { opcodes } from "./websocket-frames.ts";

export const plain: Metadata = { contentType: undefined, format: undefined, tags: {} };

const usualHello: Hello = {
  type: "HELLO",
  revision: 1,
  name: "test peer",
  connectionCredit: 2 ** 26,
  channelCredit: 2 ** 20,
  maxChannels: 0,
  maxDataBytes: 65_536,
  idleMs: 0,
};

/** Generous, since the disk may be busy with other tests. */
const durableLimitMs = 20_000;

type LastWord = End | StreamList | Fault;
type OnChannel = Extract<ServerMessage, { channel: number }>;

/** The result of a read: OPENED, the audio in one piece, END. */
export interface ReadOutcome {
  opened: Opened;
  audio: Uint8Array;
  end: End;
}

/** Messages and audio of one channel that no caller has taken yet. */
class Inbox {
  readonly messages: OnChannel[] = [];
  credit = new SendCredit(0);
  written = 0;
  durable = 0;
}

export class V1Peer {
  readonly socket: RawWebSocket;
  readonly hello = Promise.withResolvers<Hello>();
  readonly pongs: number[] = [];
  pings = 0;
  goodbyes: number[] = [];
  /** Credit of the connection, for sending. */
  credit = new SendCredit(0);
  /** Set by the server's ERROR that ends the connection. */
  fault: Fault | undefined;
  readonly #inboxes = new Map<number, Inbox>();
  #helloOfServer: Hello | undefined;
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();
  #isOver = false;
  #flushing: Promise<void> | undefined;
  /** The code of the Close frame, once it has arrived. */
  closeCode: number | undefined;

  /** Connects and sends HELLO, unless `hello` is null. */
  static async open(url: string, hello: Partial<Hello> | null = {}): Promise<V1Peer> {
    const headers = { "Sec-WebSocket-Protocol": subprotocol };
    const socket = await RawWebSocket.open(url, { headers });
    const agreed = socket.response.headers.get("sec-websocket-protocol");
    if (socket.response.status !== 101 || agreed !== subprotocol) {
      socket[Symbol.dispose]();
      throw new Error(`no agreement: status ${socket.response.status}, subprotocol ${agreed}`);
    }
    const peer = new V1Peer(socket);
    if (hello !== null) {
      peer.sendHello(hello);
      await peer.greeted();
    }
    return peer;
  }

  private constructor(socket: RawWebSocket) {
    this.socket = socket;
    void this.#listen();
  }

  greeted(): Promise<Hello> {
    return within("HELLO", defaultLimitMs, this.hello.promise);
  }

  async #listen(): Promise<void> {
    try {
      for (;;) this.#take(await this.socket.next(120_000));
    } catch (error) {
      this.#failure = error;
    }
    this.#isOver = true;
    this.#wake.resolve();
  }

  #failure: unknown;

  get isOver(): boolean {
    return this.#isOver;
  }

  #take({ opcode, payload }: { opcode: number; payload: Buffer }): void {
    if (opcode === opcodes.close) {
      this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    } else if (opcode !== opcodes.binary) {
      throw new Error(`a frame of opcode ${opcode}`);
    } else {
      const message = decodeServerMessage(payload);
      if (message.type === "MALFORMED" || message.type === "UNKNOWN") {
        throw new Error(`the server sent ${JSON.stringify(message)}`);
      }
      this.#sort(message);
    }
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  #sort(message: ServerMessage): void {
    switch (message.type) {
      case "HELLO":
        this.#helloOfServer = message;
        this.credit = new SendCredit(message.connectionCredit);
        return this.hello.resolve(message);
      case "PING":
        this.pings += 1;
        return;
      case "PONG":
        return void this.pongs.push(message.nonce);
      case "GOODBYE":
        return void this.goodbyes.push(message.deadlineMs);
      case "CREDIT": {
        const credit = message.channel === 0 ? this.credit : this.#inbox(message.channel).credit;
        if (!credit.grant(message.bytes)) throw new Error("more credit than the limit");
        return;
      }
      case "ACK":
        return this.#noteAck(message);
      default:
        if (message.channel !== 0) this.#inbox(message.channel).messages.push(message);
        else if (message.type === "ERROR") this.fault = message;
    }
  }

  #noteAck({ channel, written, durable }: Ack): void {
    const inbox = this.#inbox(channel);
    if (written < inbox.written || durable < inbox.durable) throw new Error("an ACK went back");
    inbox.written = written;
    inbox.durable = durable;
  }

  #inbox(channel: number): Inbox {
    let inbox = this.#inboxes.get(channel);
    if (inbox === undefined) {
      inbox = new Inbox();
      this.#inboxes.set(channel, inbox);
    }
    return inbox;
  }

  acked(channel: number): { written: number; durable: number } {
    const { written, durable } = this.#inbox(channel);
    return { written, durable };
  }

  /** Waits for an ACK of so many durable bytes. */
  async untilDurable(channel: number, bytes: number): Promise<void> {
    const isDurable = (): true | undefined => this.acked(channel).durable === bytes || undefined;
    await this.when(`${bytes} bytes to be durable`, isDurable, durableLimitMs);
  }

  send(message: ClientMessage): void {
    if ("streamId" in message || message.type === "FOLLOW" || message.type === "LIST") this.#renew(message);
    this.socket.binary(encodeMessage(message));
  }

  /** Opening a channel starts with an empty inbox and the initial credit. */
  #renew({ channel }: { channel: number }): void {
    this.#inboxes.delete(channel);
    this.#inbox(channel).credit = new SendCredit(this.#helloOfServer?.channelCredit ?? 0);
  }

  /** Waits until `probe` returns a value; probes after every message. */
  async when<T>(what: string, probe: () => T | undefined, limitMs = defaultLimitMs): Promise<T> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = probe();
      if (found !== undefined) return found;
      const state = (): string => `fault: ${JSON.stringify(this.fault)}`;
      if (this.#isOver) {
        throw new Error(`connection ended instead of ${what}; ${state()}`, { cause: this.#failure });
      }
      const left = Math.max(0, deadline - performance.now());
      await within(what, left, this.#wake.promise, state);
    }
  }

  /** Audio received on a channel that no caller has taken yet. */
  received(channel: number): number {
    const data = this.#inbox(channel).messages.filter((message) => message.type === "DATA");
    return data.reduce((sum, { payload }) => sum + payload.length, 0);
  }

  sendHello(hello: Partial<Hello> = {}): void {
    this.send({ ...usualHello, ...hello });
  }

  /** The next message on a channel, if it has arrived already. */
  poll(channel: number): OnChannel | undefined {
    return this.#inbox(channel).messages.shift();
  }

  /** Waits for the next message on a channel. */
  next(channel: number, limitMs = defaultLimitMs): Promise<OnChannel> {
    return this.when(`a message on channel ${channel}`, () => this.#inbox(channel).messages.shift(), limitMs);
  }

  async expect<T extends OnChannel["type"]>(
    channel: number,
    type: T,
    limitMs?: number,
  ): Promise<Extract<OnChannel, { type: T }>> {
    const message = await this.next(channel, limitMs);
    if (message.type !== type) throw new Error(`${JSON.stringify(message)} instead of ${type}`);
    return message as Extract<OnChannel, { type: T }>;
  }

  /** The message that ends a channel; skips the messages before it. */
  async lastWord(channel: number, limitMs?: number): Promise<LastWord> {
    for (;;) {
      const message = await this.next(channel, limitMs);
      if (message.type === "END" || message.type === "STREAMS" || message.type === "ERROR") return message;
    }
  }

  /** The code of the ERROR that ends a channel. */
  async errorOn(channel: number, limitMs?: number): Promise<string> {
    const word = await this.lastWord(channel, limitMs);
    if (word.type !== "ERROR") throw new Error(`${JSON.stringify(word)} instead of ERROR`);
    return word.code;
  }

  /** The code of the ERROR that ends the connection, once that has happened. */
  async faultCode(limitMs?: number): Promise<string> {
    await this.when("the end of the connection", () => this.closeCode, limitMs);
    return this.fault?.code ?? "";
  }

  create(channel: number, streamId: string | undefined, metadata: Metadata = plain): void {
    this.send({ type: "WRITE", channel, streamId, mode: "create", metadata });
  }

  async resume(channel: number, streamId: string): Promise<Opened> {
    this.send({ type: "WRITE", channel, streamId, mode: "resume", metadata: plain });
    return await this.expect(channel, "OPENED");
  }

  /** Sends one DATA, even without credit. */
  data(channel: number, offset: number, payload: Uint8Array, crc = crc32(payload)): void {
    this.send({ type: "DATA", channel, offset, crc, payload });
  }

  /** Sends audio from offset `from` as credit allows, up to `until` if it is given. */
  async write(channel: number, audio: Uint8Array, from = 0, until = audio.length): Promise<void> {
    const { credit } = this.#inbox(channel);
    let at = from;
    while (at < until) {
      const room = (): number => Math.min(credit.bytes, this.credit.bytes, 65_536, until - at);
      await this.when(`credit for channel ${channel}`, () => room() || undefined, 30_000);
      // Other writers that waited for credit of the connection may have used it up.
      const length = room();
      if (length === 0) continue;
      credit.spend(length);
      this.credit.spend(length);
      this.data(channel, at, audio.subarray(at, at + length));
      at += length;
      await this.#flushed();
    }
  }

  /** Concurrent uploads share one wait for the socket. */
  #flushed(): Promise<void> {
    this.#flushing ??= this.socket.flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async finish(channel: number, size: number): Promise<End> {
    this.send({ type: "FINISH", channel, size });
    for (;;) {
      const message = await this.next(channel, 30_000);
      if (message.type === "END") return message;
      if (message.type !== "OPENED") throw new Error(`${JSON.stringify(message)} instead of END`);
    }
  }

  /** Creates, writes and finishes a stream. */
  async upload(channel: number, streamId: string, audio: Uint8Array, metadata = plain): Promise<End> {
    this.create(channel, streamId, metadata);
    await this.write(channel, audio);
    return await this.finish(channel, audio.length);
  }

  /** Reads a range and grants credit for the audio received. */
  async read(channel: number, streamId: string, offset = 0, length?: number): Promise<ReadOutcome> {
    this.send({ type: "READ", channel, streamId, offset, length });
    return await this.collect(channel);
  }

  /** Collects a channel up to its END. DATA must have no gaps and correct checksums. */
  async collect(channel: number): Promise<ReadOutcome> {
    const opened = await this.expect(channel, "OPENED");
    const pieces: Uint8Array[] = [];
    let next = opened.offset;
    for (;;) {
      const message = await this.next(channel, 30_000);
      if (message.type === "END") return { opened, audio: Buffer.concat(pieces), end: message };
      if (message.type !== "DATA") throw new Error(`${JSON.stringify(message)} instead of DATA`);
      if (message.offset !== next) throw new Error(`a gap: ${message.offset} instead of ${next}`);
      pieces.push(verified(message));
      next += message.payload.length;
      this.grant(channel, message.payload.length);
    }
  }

  grant(channel: number, bytes: number): void {
    this.send({ type: "CREDIT", channel, bytes });
    this.send({ type: "CREDIT", channel: 0, bytes });
  }

  [Symbol.dispose](): void {
    this.socket[Symbol.dispose]();
  }
}

/** The payload of a DATA, after checking its CRC if there is one. */
export function verified({ payload, crc }: Data): Uint8Array {
  if (crc !== undefined && crc32(payload) !== crc) throw new Error("audio does not match its checksum");
  return payload;
}
