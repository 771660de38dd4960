/**
 * An in-memory server of protocol v1, written from `docs/protocol.md`, that fails on request: it cuts connections, loses
 * bytes that were not durable, withholds credit, corrupts audio, says GOODBYE.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Server, ServerWebSocket } from "bun";
import { maxDataBytes } from "../../base/limits/v1.ts";
import { decodeClientMessage } from "../../wire/v1/decode.ts";
import { encodeMessage } from "../../wire/v1/encode.ts";
import {
  type ClientMessage,
  type Metadata,
  type Opened,
  type Outcome,
  type ServerMessage,
  type StreamInfo,
  subprotocol,
} from "../../wire/v1/messages.ts";

export interface V1Behaviour {
  connectionCredit?: number;
  channelCredit?: number;
  /** Withholds further credit from these streams. */
  stingyTo?: Set<string>;
  maxChannels?: number;
  idleMs?: number;
  /** The bytes from the client after which to cut each successive connection; later ones are not cut. */
  cutAfterBytes?: number[];
  /** Cuts the connection instead of answering the first `times` of these messages, but executes them. */
  cutsAt?: { type: ClientMessage["type"]; times: number };
  /** How far `durable` stays behind `written` until FINISH. */
  lagBytes?: number;
  /** How many DATA to answer with CHECKSUM_WRONG, and how many to send with a flipped bit. */
  refusesChecksums?: number;
  damages?: number;
  /** How many ENDs of reads to replace by closing the connection. */
  losesEnds?: number;
  /** Replaces the SHA-256 of every END. */
  wrongSha256?: string;
  /** Ignores every message, even PING, but sends HELLO. */
  isDeaf?: boolean;
  /** Selects the subprotocol, but never sends HELLO. */
  isSilent?: boolean;
  /** The revision of the protocol; below 2 without digests and `restart`. */
  revision?: number;
  /** Payload bytes per DATA. */
  pieceBytes?: number;
}

export interface V1Stream {
  bytes: Buffer;
  durable: number;
  finished: boolean;
  metadata: Metadata;
}

interface Peer {
  id: number;
  receivedBytes: number;
  cutAfter: number;
  connectionCredit: number;
  /** The initial credit of each channel of the client. */
  channelCredit: number;
  channels: Map<number, Channel>;
}

type Channel =
  | { kind: "write"; streamId: string }
  | { kind: "read"; streamId: string; at: number; end: number; credit: number; follows: boolean };

type Socket = ServerWebSocket<Peer>;

export class MockV1Server {
  readonly streams = new Map<string, V1Stream>();
  /** Message types in order of arrival. */
  readonly messages: string[] = [];
  connections = 0;
  readonly #behaviour: V1Behaviour;
  readonly #server: Server<Peer>;
  readonly #sockets = new Set<Socket>();

  constructor(behaviour: V1Behaviour = {}) {
    this.#behaviour = behaviour;
    this.#server = Bun.serve<Peer>({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => this.#upgrade(request, server),
      websocket: {
        perMessageDeflate: false,
        sendPings: false,
        backpressureLimit: 1 << 30,
        open: (ws) => this.#opened(ws),
        close: (ws) => void this.#sockets.delete(ws),
        message: (ws, frame) => this.#message(ws, frame),
      },
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/audio`;
  }

  get port(): number {
    return this.#server.port ?? 0;
  }

  /** Cuts every connection; with `forgets`, also drops all bytes that are not durable. */
  cut(forgets = false): void {
    for (const ws of this.#sockets) ws.terminate();
    if (!forgets) return;
    for (const stream of this.streams.values()) {
      if (!stream.finished) stream.bytes = stream.bytes.subarray(0, stream.durable);
    }
  }

  get #revision(): number {
    return this.#behaviour.revision ?? 2;
  }

  goodbye(deadlineMs: number): void {
    for (const ws of this.#sockets) this.#send(ws, { type: "GOODBYE", deadlineMs });
  }

  /** Adds a stream. */
  put(streamId: string, bytes: Uint8Array, finished = true): void {
    const metadata = { contentType: undefined, format: undefined, tags: {} };
    this.streams.set(streamId, { bytes: Buffer.from(bytes), durable: bytes.length, finished, metadata });
  }

  /** Sends a frame on every connection. */
  sendAll(frame: string | Uint8Array): void {
    for (const ws of this.#sockets) ws.send(frame);
  }

  /** Appends to a stream, and serves its followers. */
  grow(streamId: string, bytes: Uint8Array): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) throw new RangeError(streamId);
    stream.bytes = Buffer.concat([stream.bytes, bytes]);
    this.#serveFollowers(streamId);
  }

  /** Ends a stream, and with it its followers. */
  finish(streamId: string, outcome: Outcome = "finished"): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) throw new RangeError(streamId);
    stream.finished = outcome === "finished";
    for (const ws of this.#sockets) {
      for (const [number, channel] of ws.data.channels) {
        if (channel.kind === "read" && channel.streamId === streamId)
          this.#finish(ws, number, streamId, outcome);
      }
    }
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  #upgrade(request: Request, server: Server<Peer>): Response | undefined {
    const cutAfter = this.#behaviour.cutAfterBytes?.[this.connections] ?? Infinity;
    const data = {
      id: this.connections,
      receivedBytes: 0,
      cutAfter,
      connectionCredit: 0,
      channelCredit: 0,
      channels: new Map(),
    };
    this.connections += 1;
    const headers = { "Sec-WebSocket-Protocol": subprotocol };
    return server.upgrade(request, { data, headers })
      ? undefined
      : new Response("WebSocket upgrade required", { status: 426 });
  }

  #opened(ws: Socket): void {
    const {
      connectionCredit = 1 << 24,
      channelCredit = 1 << 16,
      maxChannels = 1024,
      idleMs = 60_000,
    } = this.#behaviour;
    this.#sockets.add(ws);
    const name = "mock";
    const hello = {
      revision: this.#revision,
      name,
      connectionCredit,
      channelCredit,
      maxChannels,
      maxDataBytes,
      idleMs,
    };
    if (this.#behaviour.isSilent !== true) this.#send(ws, { type: "HELLO", ...hello });
  }

  #message(ws: Socket, frame: string | Buffer): void {
    // Messages in the socket's buffer still arrive after terminate().
    if (!this.#sockets.has(ws)) return;
    if (typeof frame === "string") throw new Error(`a text frame: ${frame}`);
    const message = decodeClientMessage(frame);
    if (message.type === "MALFORMED" || message.type === "UNKNOWN") throw new Error(JSON.stringify(message));
    this.messages.push(message.type);
    if (this.#behaviour.isDeaf === true) return;
    const { cutsAt } = this.#behaviour;
    const cuts = cutsAt?.type === message.type && cutsAt.times > 0;
    if (cuts) {
      cutsAt.times -= 1;
      this.#sockets.delete(ws);
    }
    this.#do(ws, message);
    if (cuts) ws.terminate();
  }

  #do(ws: Socket, message: ClientMessage): void {
    switch (message.type) {
      case "HELLO":
        ws.data.connectionCredit = message.connectionCredit;
        ws.data.channelCredit = message.channelCredit;
        return;
      case "PING":
        this.#send(ws, { type: "PONG", nonce: message.nonce });
        return;
      case "PONG":
      case "ERROR":
        return;
      case "WRITE":
        this.#write(ws, message);
        return;
      case "DATA":
        this.#data(ws, message);
        return;
      case "FINISH":
        this.#finishUpload(ws, message);
        return;
      case "CLOSE":
        this.#close(ws, message.channel, message.discard);
        return;
      case "CREDIT":
        this.#credit(ws, message.channel, message.bytes);
        return;
      case "READ":
        this.#read(ws, message.channel, message.streamId, message.offset, message.length ?? Infinity, false);
        return;
      case "FOLLOW": {
        const offset = message.offset ?? this.streams.get(message.name)?.bytes.length ?? 0;
        this.#read(ws, message.channel, message.name, offset, Infinity, true);
        return;
      }
      case "LIST": {
        const ids = [...this.streams.keys()].sort().filter((id) => id > message.after);
        const streams = ids.slice(0, message.limit).map((id) => this.#info(id));
        const next = ids.length > message.limit ? ids[message.limit - 1] : undefined;
        this.#send(ws, { type: "STREAMS", channel: message.channel, streams, next });
        return;
      }
      case "INFO": {
        const { channel, streamId } = message;
        if (!this.streams.has(streamId)) this.#fault(ws, channel, "STREAM_UNKNOWN");
        else this.#send(ws, { type: "STREAMS", channel, streams: [this.#info(streamId)], next: undefined });
        return;
      }
      case "REMOVE": {
        const { channel, streamId } = message;
        if (!this.streams.delete(streamId)) this.#fault(ws, channel, "STREAM_UNKNOWN");
        else this.#send(ws, { type: "END", channel, outcome: "removed", size: 0, sha256: undefined });
      }
    }
  }

  #write(ws: Socket, message: Extract<ClientMessage, { type: "WRITE" }>): void {
    const { channel, streamId = "chosen", mode, metadata } = message;
    if (mode === "restart") this.streams.delete(streamId);
    const known = this.streams.get(streamId);
    if (known !== undefined && mode === "create") {
      this.#fault(ws, channel, "STREAM_EXISTS");
      return;
    }
    const stream = known ?? { bytes: Buffer.alloc(0), durable: 0, finished: false, metadata };
    this.streams.set(streamId, stream);
    for (const other of this.#sockets) {
      for (const [number, { kind, streamId: id }] of other.data.channels) {
        if (kind === "write" && id === streamId) this.#fault(other, number, "STREAM_TAKEN_OVER");
      }
    }
    ws.data.channels.set(channel, { kind: "write", streamId });
    this.#send(ws, this.#openedMessage(channel, streamId, stream.bytes.length));
  }

  #openedMessage(channel: number, streamId: string, offset: number): Opened {
    const { bytes, finished, metadata } = this.#stream(streamId);
    const size = finished ? bytes.length : undefined;
    const sha256 = this.#revision < 2 ? undefined : digest(bytes.subarray(0, offset));
    return { type: "OPENED", channel, streamId, offset, size, metadata, sha256 };
  }

  #data(ws: Socket, message: Extract<ClientMessage, { type: "DATA" }>): void {
    const { channel, offset, crc, payload } = message;
    ws.data.receivedBytes += payload.length;
    const open = ws.data.channels.get(channel);
    if (ws.data.receivedBytes >= ws.data.cutAfter) {
      this.#sockets.delete(ws);
      ws.terminate();
    } else if (open?.kind === "write") this.#keep(ws, channel, open.streamId, { offset, crc, payload });
    if (open === undefined || this.#behaviour.stingyTo?.has(open.streamId) !== true) {
      this.#send(ws, { type: "CREDIT", channel: 0, bytes: payload.length });
    }
  }

  #keep(
    ws: Socket,
    channel: number,
    streamId: string,
    { offset, crc, payload }: { offset: number; crc: number | undefined; payload: Uint8Array },
  ): void {
    const stream = this.#stream(streamId);
    const { refusesChecksums = 0, lagBytes = 0, stingyTo } = this.#behaviour;
    if (refusesChecksums > 0) this.#behaviour.refusesChecksums = refusesChecksums - 1;
    if (refusesChecksums > 0 || crc !== crc32(payload)) this.#fault(ws, channel, "CHECKSUM_WRONG");
    else if (offset !== stream.bytes.length) this.#fault(ws, channel, "OFFSET_WRONG");
    else {
      stream.bytes = Buffer.concat([stream.bytes, payload]);
      stream.durable = Math.max(stream.durable, stream.bytes.length - lagBytes);
      this.#send(ws, { type: "ACK", channel, written: stream.bytes.length, durable: stream.durable });
      if (stingyTo?.has(streamId) !== true)
        this.#send(ws, { type: "CREDIT", channel, bytes: payload.length });
      this.#serveFollowers(streamId);
    }
  }

  #finishUpload(ws: Socket, { channel, size, sha256 }: Extract<ClientMessage, { type: "FINISH" }>): void {
    const open = ws.data.channels.get(channel);
    if (open?.kind !== "write") return;
    const stream = this.#stream(open.streamId);
    if (size !== stream.bytes.length) {
      this.#fault(ws, channel, "OFFSET_WRONG");
      return;
    }
    if (sha256 !== undefined && sha256 !== digest(stream.bytes)) {
      this.#fault(ws, channel, "DIGEST_WRONG");
      return;
    }
    stream.finished = true;
    stream.durable = size;
    this.#finish(ws, channel, open.streamId, "finished");
    this.finish(open.streamId);
  }

  #close(ws: Socket, channel: number, discard: boolean): void {
    const open = ws.data.channels.get(channel);
    if (open === undefined) return;
    if (open.kind === "read") this.#finish(ws, channel, open.streamId, "cancelled");
    else if (discard) {
      this.#finish(ws, channel, open.streamId, "removed");
      this.streams.delete(open.streamId);
    } else this.#finish(ws, channel, open.streamId, "unfinished");
  }

  #credit(ws: Socket, channel: number, bytes: number): void {
    if (channel === 0) ws.data.connectionCredit += bytes;
    const open = ws.data.channels.get(channel);
    if (open?.kind === "read") open.credit += bytes;
    for (const number of ws.data.channels.keys()) this.#serve(ws, number);
  }

  #read(
    ws: Socket,
    channel: number,
    streamId: string,
    offset: number,
    length: number,
    follows: boolean,
  ): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) this.#fault(ws, channel, "STREAM_UNKNOWN");
    else if (offset > stream.bytes.length || (offset > 0 && offset === stream.bytes.length && !follows))
      this.#fault(ws, channel, "NO_DATA");
    else {
      const end = follows ? Infinity : Math.min(stream.bytes.length, offset + length);
      const credit = ws.data.channelCredit;
      ws.data.channels.set(channel, { kind: "read", streamId, at: offset, end, credit, follows });
      this.#send(ws, this.#openedMessage(channel, streamId, offset));
      this.#serve(ws, channel);
    }
  }

  #serveFollowers(streamId: string): void {
    for (const ws of this.#sockets) {
      for (const [number, channel] of ws.data.channels) {
        if (channel.kind === "read" && channel.streamId === streamId) this.#serve(ws, number);
      }
    }
  }

  #serve(ws: Socket, number: number): void {
    const channel = ws.data.channels.get(number);
    if (channel?.kind !== "read" || !this.#sockets.has(ws)) return;
    const { bytes, finished } = this.#stream(channel.streamId);
    const { pieceBytes = 1 << 16 } = this.#behaviour;
    for (;;) {
      const available = Math.min(bytes.length, channel.end) - channel.at;
      const length = Math.min(available, channel.credit, ws.data.connectionCredit, pieceBytes);
      if (length <= 0) break;
      this.#sendData(ws, number, channel.at, bytes.subarray(channel.at, channel.at + length));
      channel.at += length;
      channel.credit -= length;
      ws.data.connectionCredit -= length;
    }
    const isOver = channel.at >= channel.end || (channel.follows && finished && channel.at >= bytes.length);
    if (isOver) this.#finish(ws, number, channel.streamId, finished ? "finished" : "unfinished");
  }

  #sendData(ws: Socket, channel: number, offset: number, payload: Uint8Array): void {
    const { damages = 0 } = this.#behaviour;
    const crc = crc32(payload);
    const sent = Buffer.from(payload);
    if (damages > 0) {
      sent[sent.length >> 1]! ^= 1;
      this.#behaviour.damages = damages - 1;
    }
    this.#send(ws, { type: "DATA", channel, offset, crc, payload: sent });
  }

  #finish(ws: Socket, channel: number, streamId: string, outcome: Outcome): void {
    const open = ws.data.channels.get(channel);
    const stream = this.#stream(streamId);
    // A follower receives the rest of the stream first.
    if (open?.kind === "read" && outcome === "finished" && open.at < Math.min(open.end, stream.bytes.length))
      return;
    ws.data.channels.delete(channel);
    const { losesEnds = 0 } = this.#behaviour;
    if (open?.kind === "read" && losesEnds > 0) {
      this.#behaviour.losesEnds = losesEnds - 1;
      this.#sockets.delete(ws);
      ws.close(1001);
      return;
    }
    const sha256 = outcome === "finished" ? this.#sha256(streamId) : undefined;
    const size = outcome === "removed" ? 0 : stream.bytes.length;
    this.#send(ws, { type: "END", channel, outcome, size, sha256 });
  }

  #fault(ws: Socket, channel: number, code: string): void {
    ws.data.channels.delete(channel);
    this.#send(ws, { type: "ERROR", channel, code, message: code.toLowerCase(), hint: "" });
  }

  #info(streamId: string): StreamInfo {
    const { bytes, finished, metadata } = this.#stream(streamId);
    const times = { createdAt: 1, updatedAt: 2, finishedAt: finished ? 3 : undefined };
    const sha256 = finished ? this.#sha256(streamId) : undefined;
    const state = finished ? "finished" : "unfinished";
    return { streamId, state, size: bytes.length, sha256, ...times, metadata };
  }

  #sha256(streamId: string): string {
    return this.#behaviour.wrongSha256 ?? digest(this.#stream(streamId).bytes);
  }

  #stream(streamId: string): V1Stream {
    const stream = this.streams.get(streamId);
    if (stream === undefined) throw new RangeError(streamId);
    return stream;
  }

  #send(ws: Socket, message: ServerMessage): void {
    if (this.#sockets.has(ws)) ws.send(encodeMessage(message));
  }
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
