/**
 * One connection of protocol v1 (`docs/protocol.md`): dispatches its messages to its channels, and holds its credit.
 *
 *     greeting --HELLO--> open --GOODBYE--> leaving --> over
 *         '------------------'-----------------'---------^
 */
import type { Access } from "../../access/access.ts";
import type { Principal } from "../../access/principal.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import {
  type ErrorCode,
  errorRow,
  isServerFault,
  toWavecacheError,
  WavecacheError,
} from "../../base/errors.ts";
import {
  initialChannelCreditBytes,
  initialConnectionCreditBytes,
  maxChannels,
  maxDataBytes,
  maxErrorTextChars,
  maxMessageBytes,
} from "../../base/limits/v1.ts";
import { type Log, withFields } from "../../base/log/log.ts";
import type { RequestContext } from "../../base/request-context.ts";
import type { Handshake, Session, Socket } from "../../listen/route.ts";
import { ReceiveWindow, SendCredit } from "../../wire/v1/credit.ts";
import { decodeClientMessage } from "../../wire/v1/decode.ts";
import {
  type ClientMessage,
  connectionChannel,
  type Credit,
  type Data,
  type End,
  type Finish,
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
import { Authentication } from "./authentication.ts";
import type { Channel, ChannelHost } from "./channels/channel.ts";
import { FollowChannel } from "./channels/follow.ts";
import { FollowLiveChannel } from "./channels/follow-live.ts";
import { Queries } from "./channels/query.ts";
import { ReadChannel } from "./channels/read.ts";
import { UploadChannel } from "./channels/upload.ts";
import type { LiveRecordings, RangeReader, Streams } from "./dependencies.ts";
import { Keepalive } from "./keepalive.ts";
import { SendScheduler } from "./send-scheduler.ts";

type Opening = Write | Read | Follow | List | Info | Remove;

/** What a session needs of the gateway. */
export interface V1SessionHost {
  readonly streams: Streams;
  readonly recordings: LiveRecordings;
  readonly access: Access;
  readonly meter: GatewayMeter;
  readonly log: Log;
  /** The server's name in HELLO. */
  readonly name: string;
  readonly idleMs: number;
  /** The server is shutting down: sessions open no new channels. */
  readonly isLeaving: boolean;
  /** The receive window of one upload channel, on a connection with `channels` of them. */
  uploadWindow(channels: number): number;
  /** Counts upload channels as they open and close. */
  countUploadChannel(by: 1 | -1): void;
  closed(session: V1Session): void;
}

export class V1Session implements Session, ChannelHost {
  readonly streams: Streams;
  readonly recordings: LiveRecordings;
  readonly meter: GatewayMeter;
  readonly reader: RangeReader;
  readonly scheduler: SendScheduler;
  readonly context: RequestContext;
  readonly #log: Log;
  readonly #socket: Socket;
  readonly #host: V1SessionHost;
  readonly #authentication: Authentication<ClientMessage>;
  readonly #queries: Queries;
  readonly #keepalive: Keepalive;
  readonly #window = new ReceiveWindow(initialConnectionCreditBytes);
  readonly #channels = new Map<number, Channel>();
  #peer: Hello | undefined;
  #uploadChannels = 0;
  /** The nonce of the last unanswered PING. */
  #pingNonce: number | undefined;
  #isOver = false;

  constructor(
    socket: Socket,
    { principal, context }: Pick<Handshake, "principal" | "context">,
    host: V1SessionHost,
  ) {
    const { streams, recordings } = host;
    this.streams = streams;
    this.recordings = recordings;
    this.meter = host.meter;
    this.context = context;
    this.#log = withFields(host.log, { requestId: context.requestId });
    this.#socket = socket;
    this.#host = host;
    this.#authentication = new Authentication(principal, {
      access: host.access,
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      identify: (identified) => socket.identify?.(identified),
      refused: (code) => this.fault(code),
    });
    this.reader = streams.assignReader("as they come");
    this.scheduler = new SendScheduler(socket, streams.outbound, {
      stalled: () => this.fault("PEER_STALLED"),
    });
    this.#queries = new Queries(this);
    this.#keepalive = new Keepalive(host.idleMs, performance.now());
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

  /** The session has ended. Its socket may still be closing. */
  get isOver(): boolean {
    return this.#isOver;
  }

  text(): void {
    this.fault("BAD_REQUEST", "messages are binary frames");
  }

  binary(frame: Uint8Array): void {
    if (this.#isOver) return;
    this.#keepalive.received();
    if (frame.length > maxMessageBytes) return this.fault("MESSAGE_TOO_LARGE");
    const message = decodeClientMessage(frame);
    if (message.type === "MALFORMED") return this.#refuse(message);
    if (this.#peer === undefined) return this.#greet(message);
    if (message.type === "UNKNOWN" || this.#authentication.holds(message)) return;
    this.#dispatch(message);
  }

  drained(): void {
    this.scheduler.drained();
    if (this.scheduler.isBlocked) return;
    this.#answerPing();
    this.#queries.resume();
  }

  closed(): void {
    if (!this.#isOver) this.#end();
    this.#host.closed(this);
  }

  /** Runs a few times a second: the channels' ticks and the keepalive. */
  tick(now: number): void {
    if (this.#isOver) return;
    for (const channel of this.#channels.values()) channel.tick?.();
    if (this.scheduler.hasSent) this.#keepalive.sent(now);
    this.scheduler.hasSent = false;
    const due = this.#keepalive.check(now);
    if (due === "ping") this.send({ type: "PING", nonce: 0 });
    else if (due === "close") this.close(1000, "idle");
  }

  /** Announces that the server closes the connection within `deadlineMs`. */
  leave(deadlineMs: number): void {
    this.send({ type: "GOODBYE", deadlineMs });
    this.#closeIfDone();
  }

  /** Makes the audio received on all channels durable, and acknowledges it. */
  async settle(): Promise<void> {
    const uploads = [...this.#channels.values()].filter((channel) => channel instanceof UploadChannel);
    await Promise.all(uploads.map((channel) => channel.settle()));
  }

  get principal(): Principal {
    return this.#authentication.principal;
  }

  get peerRevision(): number {
    return this.#peer!.revision;
  }

  firstCredit(): SendCredit {
    return new SendCredit(this.#peer!.channelCredit);
  }

  uploadWindow(): number {
    return this.#host.uploadWindow(this.#uploadChannels);
  }

  send(message: ServerMessage): void {
    this.scheduler.send(message);
  }

  end(channel: Channel, lastMessage: End | StreamList): void {
    if (!this.#forget(channel)) return;
    this.send(lastMessage);
    this.#closeIfDone();
  }

  fail(channel: Channel, error: unknown): void {
    if (!this.#forget(channel)) return;
    const known = toWavecacheError(error);
    this.#recordFailure(known, channel.number);
    this.#sendError(channel.number, known.code);
    this.#closeIfDone();
  }

  fault(code: ErrorCode, reason?: string): void {
    if (this.#isOver) return;
    this.#recordFailure(new WavecacheError(code, reason), connectionChannel);
    if (code !== "PEER_STALLED") this.#sendError(connectionChannel, code, reason);
    this.close(errorRow(code).close, errorRow(code).reason);
  }

  /** Ends the connection. Its uploads stay resumable. */
  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#socket.close(code, reason);
  }

  #end(): void {
    this.#isOver = true;
    this.scheduler.close();
    this.#authentication.close();
    const channels = [...this.#channels.values()];
    for (const channel of channels) this.#forget(channel);
  }

  #greet(message: Exclude<ReturnType<typeof decodeClientMessage>, Malformed>): void {
    if (message.type !== "HELLO") return this.fault("BAD_REQUEST", `${message.type} before HELLO`);
    this.#peer = message;
    this.scheduler.begin(message.connectionCredit, message.maxDataBytes);
    this.#keepalive.setPeerIdle(message.idleMs);
    this.#log.debug("a peer connected", { name: message.name, revision: message.revision });
    this.#authentication.greet(message.token, (next) => {
      if (!this.#isOver) this.#dispatch(next);
    });
  }

  #dispatch(message: ClientMessage): void {
    switch (message.type) {
      case "DATA":
        return this.#data(message);
      case "CREDIT":
        return this.#credit(message);
      case "FINISH":
        return this.#finish(message);
      case "CLOSE":
        return this.#channels.get(message.channel)?.close(message.discard);
      case "PING":
        this.#pingNonce = message.nonce;
        return this.#answerPing();
      case "PONG":
        return;
      case "HELLO":
        return this.fault("BAD_REQUEST", "a second HELLO");
      case "ERROR":
        return this.#peerFailed(message.channel, message.code);
      default:
        return this.#open(message);
    }
  }

  #data(data: Data): void {
    const { length } = data.payload;
    if (!this.#window.receive(length)) return this.fault("CREDIT_EXCEEDED");
    // The connection's window counts bytes on the wire only. Backpressure of an upload withholds its channel's credit.
    this.#window.consume(length);
    const bytes = this.#window.refill(initialConnectionCreditBytes);
    if (bytes > 0) this.send({ type: "CREDIT", channel: connectionChannel, bytes });
    const channel = this.#channels.get(data.channel);
    if (channel === undefined) return;
    if (!(channel instanceof UploadChannel))
      return this.fault("BAD_REQUEST", "DATA on a channel without an upload");
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

  #finish({ channel: number, size, sha256 }: Finish): void {
    const channel = this.#channels.get(number);
    if (channel === undefined) return;
    if (channel instanceof UploadChannel) channel.finish(size, sha256);
    else this.fault("BAD_REQUEST", "FINISH on a channel without an upload");
  }

  #peerFailed(channel: number, code: string): void {
    if (channel !== connectionChannel) return this.fault("BAD_REQUEST", "ERROR of a client on a channel");
    this.#log.info("a peer closed with an error", { code });
    this.close(1000, "");
  }

  #open(message: Opening): void {
    const number = message.channel;
    if (this.#channels.has(number)) return this.fault("BAD_REQUEST", "the channel number is in use");
    const channel = this.#channelFor(message);
    const isFull = this.#channels.size >= maxChannels;
    this.#channels.set(number, channel);
    if (channel instanceof UploadChannel) this.#countUploadChannel(1);
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
        return message.source === "stream"
          ? new FollowChannel(this, message)
          : new FollowLiveChannel(this, message);
      default:
        return this.#queries.channelFor(message);
    }
  }

  /** A malformed message ends the connection. If it would have opened a channel, only that channel fails. */
  #refuse({ channel, reason }: Malformed): void {
    this.meter.refused += 1;
    const isOpening =
      channel !== connectionChannel && this.#peer !== undefined && !this.#channels.has(channel);
    if (!isOpening) return this.fault("BAD_REQUEST", reason);
    this.meter.failed("BAD_REQUEST");
    this.#sendError(channel, "BAD_REQUEST", reason);
  }

  /** Closes a channel; false if it was closed already. */
  #forget(channel: Channel): boolean {
    if (this.#channels.get(channel.number) !== channel) return false;
    this.#channels.delete(channel.number);
    if (channel.source !== undefined) this.scheduler.remove(channel.source);
    if (channel instanceof UploadChannel) this.#countUploadChannel(-1);
    channel.gone();
    return true;
  }

  #countUploadChannel(by: 1 | -1): void {
    this.#uploadChannels += by;
    this.#host.countUploadChannel(by);
  }

  #closeIfDone(): void {
    const { close, reason } = errorRow("SHUTTING_DOWN");
    if (this.#host.isLeaving && this.#channels.size === 0) this.close(close, reason);
  }

  #answerPing(): void {
    if (this.#pingNonce === undefined || this.scheduler.isBlocked) return;
    this.send({ type: "PONG", nonce: this.#pingNonce });
    this.#pingNonce = undefined;
  }

  /** `reason` is a fixed text. An error's detail must not go to a peer, since it may name files. */
  #sendError(channel: number, code: ErrorCode, reason?: string): void {
    const row = errorRow(code);
    const message =
      reason === undefined ? row.reason : `${row.reason}: ${reason}`.slice(0, maxErrorTextChars);
    this.send({ type: "ERROR", channel, code, message, hint: row.hint });
  }

  #recordFailure(error: WavecacheError, channel: number): void {
    this.meter.failed(error.code);
    const write = isServerFault(error.code) ? this.#log.error : this.#log.debug;
    write(channel === connectionChannel ? "a connection failed" : "a channel failed", {
      channel,
      code: error.code,
      error,
    });
  }
}
