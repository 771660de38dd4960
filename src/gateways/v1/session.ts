/**
 * One connection of protocol v1 (`docs/protocol.md`): its messages in, its channels, its credit, its end.
 *
 *     greeting --HELLO--> open --GOODBYE--> leaving --> over
 *         '------------------'-----------------'---------^
 */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { type ErrorCode, errorRow, toWavecacheError, WavecacheError } from "../../base/errors.ts";
import {
  initialChannelCreditBytes,
  initialConnectionCreditBytes,
  maxChannels,
  maxDataBytes,
  maxErrorTextChars,
  maxMessageBytes,
} from "../../base/limits/v1.ts";
import type { Log } from "../../base/log.ts";
import type { Session, Socket } from "../../listen/route.ts";
import { ReceiveWindow, SendCredit } from "../../wire/v1/credit.ts";
import { decodeClientMessage } from "../../wire/v1/decode.ts";
import {
  type ClientMessage,
  connectionChannel,
  type Credit,
  type Data,
  type End,
  type Follow,
  type Hello,
  type Info,
  type List,
  type Malformed,
  type Read,
  type Remove,
  revision,
  type ServerMessage,
  type StreamList,
  type Write,
} from "../../wire/v1/messages.ts";
import type { Channel, ChannelHost } from "./channels/channel.ts";
import type { Core, RangeReader } from "./core.ts";
import { Following } from "./channels/follow.ts";
import { LiveFollowing } from "./channels/follow-live.ts";
import { SendScheduler } from "./send-scheduler.ts";
import { Queries } from "./channels/query.ts";
import { ReadChannel } from "./channels/read.ts";
import { Keepalive } from "./keepalive.ts";
import { UploadChannel } from "./channels/upload.ts";

type Opening = Write | Read | Follow | List | Info | Remove;

/** What a session needs of the door. */
export interface SessionHost {
  readonly core: Core;
  readonly meter: GatewayMeter;
  readonly log: Log;
  /** Names this program to peers. */
  readonly name: string;
  readonly idleMs: number;
  /** The server goes: nothing new is opened. */
  readonly isLeaving: boolean;
  /** How many bytes a channel that is written may have on their way, if its connection has so many of them. */
  writingWindow(channels: number): number;
  /** A channel that is written has been opened, or closed. */
  countWriting(by: 1 | -1): void;
  closed(session: V1Session): void;
}

export class V1Session implements Session, ChannelHost {
  readonly core: Core;
  readonly meter: GatewayMeter;
  readonly reader: RangeReader;
  readonly scheduler: SendScheduler;
  readonly #socket: Socket;
  readonly #host: SessionHost;
  readonly #questions: Queries;
  readonly #silence: Keepalive;
  readonly #window = new ReceiveWindow(initialConnectionCreditBytes);
  readonly #channels = new Map<number, Channel>();
  #peer: Hello | undefined;
  #writing = 0;
  /** The last PING that is not answered yet. */
  #nonce: number | undefined;
  #isOver = false;

  constructor(socket: Socket, host: SessionHost) {
    const { streams } = host.core;
    this.core = host.core;
    this.meter = host.meter;
    this.#socket = socket;
    this.#host = host;
    this.reader = streams.assignReader();
    this.scheduler = new SendScheduler(socket, streams.outbound, {
      stalled: () => this.fault("PEER_STALLED"),
    });
    this.#questions = new Queries(this);
    this.#silence = new Keepalive(host.idleMs, performance.now());
    this.send({
      type: "HELLO",
      revision,
      name: host.name,
      connectionCredit: initialConnectionCreditBytes,
      channelCredit: initialChannelCreditBytes,
      maxChannels,
      maxDataBytes,
      idleMs: host.idleMs,
    });
  }

  /** Nothing is to be waited for, though its socket may not be gone yet. */
  get isOver(): boolean {
    return this.#isOver;
  }

  text(): void {
    this.fault("BAD_REQUEST", "messages are binary frames");
  }

  binary(frame: Uint8Array): void {
    if (this.#isOver) return;
    this.#silence.received();
    if (frame.length > maxMessageBytes) return this.fault("MESSAGE_TOO_LARGE");
    // Only audio is used up before this returns.
    const message = decodeClientMessage(frame);
    if (message.type === "MALFORMED") return this.#refuse(message);
    if (this.#peer === undefined) return this.#greet(message);
    if (message.type !== "UNKNOWN") this.#take(message);
  }

  drained(): void {
    this.scheduler.drained();
    if (this.scheduler.isBlocked) return;
    this.#answerPing();
    this.#questions.goOn();
  }

  closed(): void {
    if (!this.#isOver) this.#end();
    this.#host.closed(this);
  }

  /** A few times a second: what is due by time. */
  tick(now: number): void {
    if (this.#isOver) return;
    for (const channel of this.#channels.values()) channel.tick?.();
    if (this.scheduler.hasSent) this.#silence.sent(now);
    this.scheduler.hasSent = false;
    const due = this.#silence.check(now);
    if (due === "ping") this.send({ type: "PING", nonce: 0 });
    else if (due === "close") this.close(1000, "idle");
  }

  /** Says that the server goes in so many milliseconds. */
  leave(deadlineMs: number): void {
    this.send({ type: "GOODBYE", deadlineMs });
    this.#closeIfDone();
  }

  /** Makes durable what has come on all channels, and tells. */
  async settle(): Promise<void> {
    const writing = [...this.#channels.values()].filter((channel) => channel instanceof UploadChannel);
    await Promise.all(writing.map((channel) => channel.settle()));
  }

  firstCredit(): SendCredit {
    return new SendCredit(this.#peer!.channelCredit);
  }

  writingWindow(): number {
    return this.#host.writingWindow(this.#writing);
  }

  send(message: ServerMessage): void {
    this.scheduler.send(message);
  }

  end(channel: Channel, lastWord: End | StreamList): void {
    if (!this.#forget(channel)) return;
    this.send(lastWord);
    this.#closeIfDone();
  }

  fail(channel: Channel, error: unknown): void {
    if (!this.#forget(channel)) return;
    const known = toWavecacheError(error);
    this.#note(known, channel.number);
    this.#sendError(channel.number, known.code);
    this.#closeIfDone();
  }

  fault(code: ErrorCode, reason?: string): void {
    if (this.#isOver) return;
    this.#note(new WavecacheError(code, reason), connectionChannel);
    if (code !== "PEER_STALLED") this.#sendError(connectionChannel, code, reason);
    this.close(errorRow(code).close, errorRow(code).reason);
  }

  /** Ends the connection; uploads are left. */
  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#socket.close(code, reason);
  }

  #end(): void {
    this.#isOver = true;
    this.scheduler.close();
    const channels = [...this.#channels.values()];
    for (const channel of channels) this.#forget(channel);
  }

  #greet(message: Exclude<ReturnType<typeof decodeClientMessage>, Malformed>): void {
    if (message.type !== "HELLO") return this.fault("BAD_REQUEST", `${message.type} before HELLO`);
    this.#peer = message;
    this.scheduler.begin(message.connectionCredit, message.maxDataBytes);
    this.#silence.peerWants(message.idleMs);
    this.#host.log.debug("a peer says hello", { name: message.name, revision: message.revision });
  }

  #take(message: ClientMessage): void {
    switch (message.type) {
      case "DATA":
        return this.#data(message);
      case "CREDIT":
        return this.#credit(message);
      case "FINISH":
        return this.#finish(message.channel, message.size);
      case "CLOSE":
        return this.#channels.get(message.channel)?.close(message.discard);
      case "PING":
        this.#nonce = message.nonce;
        return this.#answerPing();
      case "PONG":
        return;
      case "HELLO":
        return this.fault("BAD_REQUEST", "a second HELLO");
      case "ERROR":
        return this.#takeError(message.channel, message.code);
      default:
        return this.#open(message);
    }
  }

  #data(data: Data): void {
    const { length } = data.payload;
    if (!this.#window.receive(length)) return this.fault("CREDIT_EXCEEDED");
    // It is with its channel now, or ignored: off the wire in either case.
    this.#window.take(length);
    const bytes = this.#window.refill(initialConnectionCreditBytes);
    if (bytes > 0) this.send({ type: "CREDIT", channel: connectionChannel, bytes });
    const channel = this.#channels.get(data.channel);
    if (channel === undefined) return;
    if (!(channel instanceof UploadChannel))
      return this.fault("BAD_REQUEST", "DATA for a channel that is not written");
    channel.data(data);
  }

  #credit({ channel, bytes }: Credit): void {
    if (channel === connectionChannel) {
      if (!this.scheduler.grant(bytes)) this.fault("CREDIT_EXCEEDED");
      return;
    }
    const source = this.#channels.get(channel)?.source;
    if (source === undefined) return;
    if (!source.credit.grant(bytes)) return this.fault("CREDIT_EXCEEDED");
    this.scheduler.wake(source, false);
  }

  #finish(number: number, size: number): void {
    const channel = this.#channels.get(number);
    if (channel === undefined) return;
    if (channel instanceof UploadChannel) channel.finish(size);
    else this.fault("BAD_REQUEST", "FINISH for a channel that is not written");
  }

  #takeError(channel: number, code: string): void {
    if (channel !== connectionChannel) return this.fault("BAD_REQUEST", "ERROR of a client for a channel");
    this.#host.log.info("a peer gives up", { code });
    this.close(1000, "");
  }

  #open(message: Opening): void {
    const number = message.channel;
    if (this.#channels.has(number)) return this.fault("BAD_REQUEST", "a number that is open is opened");
    const channel = this.#channelFor(message);
    const isFull = this.#channels.size >= maxChannels;
    this.#channels.set(number, channel);
    if (channel instanceof UploadChannel) this.#countWriting(1);
    if (this.#host.isLeaving) this.fail(channel, new WavecacheError("SHUTTING_DOWN"));
    else if (isFull) this.fail(channel, new WavecacheError("STREAMS_EXHAUSTED"));
    else channel.open();
  }

  #channelFor(message: Opening): Channel {
    switch (message.type) {
      case "WRITE":
        return new UploadChannel(this, message);
      case "READ":
        return new ReadChannel(this, message);
      case "FOLLOW":
        return message.source === "stream" ? new Following(this, message) : new LiveFollowing(this, message);
      default:
        return this.#questions.ask(message);
    }
  }

  /** Bytes that are no message; of one that would have opened a channel, that channel fails alone. */
  #refuse({ channel, reason }: Malformed): void {
    this.meter.refused += 1;
    const isOfChannel =
      channel !== connectionChannel && this.#peer !== undefined && !this.#channels.has(channel);
    if (!isOfChannel) return this.fault("BAD_REQUEST", reason);
    this.meter.failed("BAD_REQUEST");
    this.#sendError(channel, "BAD_REQUEST", reason);
  }

  /** False if it was closed already. */
  #forget(channel: Channel): boolean {
    if (this.#channels.get(channel.number) !== channel) return false;
    this.#channels.delete(channel.number);
    if (channel.source !== undefined) this.scheduler.remove(channel.source);
    if (channel instanceof UploadChannel) this.#countWriting(-1);
    channel.gone();
    return true;
  }

  #countWriting(by: 1 | -1): void {
    this.#writing += by;
    this.#host.countWriting(by);
  }

  #closeIfDone(): void {
    const { close, reason } = errorRow("SHUTTING_DOWN");
    if (this.#host.isLeaving && this.#channels.size === 0) this.close(close, reason);
  }

  #answerPing(): void {
    if (this.#nonce === undefined || this.scheduler.isBlocked) return;
    this.send({ type: "PONG", nonce: this.#nonce });
    this.#nonce = undefined;
  }

  /** `reason` is of our own making: what an error has as its detail may name files. */
  #sendError(channel: number, code: ErrorCode, reason?: string): void {
    const row = errorRow(code);
    const message =
      reason === undefined ? row.reason : `${row.reason}: ${reason}`.slice(0, maxErrorTextChars);
    this.send({ type: "ERROR", channel, code, message, hint: row.hint });
  }

  #note(error: WavecacheError, channel: number): void {
    this.meter.failed(error.code);
    const { log } = this.#host;
    const write = errorRow(error.code).http >= 500 && error.code !== "SHUTTING_DOWN" ? log.error : log.debug;
    write(channel === connectionChannel ? "a connection failed" : "a channel failed", {
      channel,
      code: error.code,
      error,
    });
  }
}
