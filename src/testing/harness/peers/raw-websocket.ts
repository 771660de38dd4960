/**
 * A WebSocket client over bare TCP. It writes the handshake and each frame as bytes, so a test can be any client, even
 * a broken one, and it keeps every received frame with its bits, in order. It does nothing on its own: it answers no
 * ping or Close and does not reconnect.
 */
import { connect, type Socket } from "node:net";
import { until, within } from "../until.ts";
import {
  describeFrame,
  encodeFrame,
  FrameReader,
  opcodes,
  type Frame,
  type FrameToSend,
} from "./websocket-frames.ts";

export const defaultLimitMs = 5_000;
/** A response head longer than this does not come from an HTTP server. */
const maxHeadBytes = 64 * 1024;

export interface HandshakeOptions {
  /** Path and query; by default those of the URL. */
  path?: string;
  /** Added to the usual headers, or overriding them; undefined omits a usual header. */
  headers?: Record<string, string | undefined>;
  limitMs?: number;
}

export interface HandshakeResponse {
  status: number;
  /** Names in lower case; values of a repeated header are joined with commas. */
  headers: Map<string, string>;
}

export class RawWebSocket {
  /** Every frame received so far, in order. */
  readonly received: Frame[] = [];
  readonly response: HandshakeResponse;
  /** Resolves when the TCP connection has ended, in whatever way. */
  readonly ended: Promise<void>;
  private readonly socket: Socket;
  private readonly reader: FrameReader;
  private isEnded = false;
  private taken = 0;
  private wake: (() => void) | undefined;

  /** Connects to a ws:// URL and completes the handshake, whatever the status of the answer. */
  static async open(url: string, options: HandshakeOptions = {}): Promise<RawWebSocket> {
    const limitMs = options.limitMs ?? defaultLimitMs;
    const socket = await connectTcp(url, limitMs);
    socket.write(handshakeRequest(url, options));
    try {
      const { response, rest } = await within("handshake", limitMs, readHead(socket));
      return new RawWebSocket(socket, response, rest);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  private constructor(socket: Socket, response: HandshakeResponse, rest: Buffer) {
    this.socket = socket;
    this.response = response;
    this.reader = new FrameReader((frame) => this.received.push(frame));
    this.ended = new Promise((resolve) => {
      // A reset is a normal end here; "close" follows it in any case.
      socket.on("error", () => {});
      socket.on("close", () => {
        this.isEnded = true;
        resolve();
        this.wake?.();
      });
    });
    this.take(rest);
    socket.on("data", (chunk: Buffer) => this.take(chunk));
    socket.resume();
  }

  private take(chunk: Buffer): void {
    if (this.response.status !== 101) return;
    this.reader.push(chunk);
    if (this.received.length > this.taken) this.wake?.();
  }

  /** The next frame that has not been returned yet. One caller at a time. */
  async next(limitMs = defaultLimitMs): Promise<Frame> {
    const deadline = performance.now() + limitMs;
    while (this.taken >= this.received.length) {
      if (this.isEnded) throw new Error(`connection ended instead of a frame; ${this.describe()}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.wake = resolve;
      await within("a frame", Math.max(0, deadline - performance.now()), promise, () => this.describe());
    }
    return this.received[this.taken++]!;
  }

  /** Describes the received frames, for the message of a failed test. */
  describe(): string {
    const last = this.received.slice(-3).map((frame) => describeFrame(frame));
    const partial = this.reader.atBoundary ? "" : ", and a part of one more";
    return `received ${this.received.length} frames${partial}, the last: [${last.join(" | ")}]`;
  }

  /** Sends a masked frame unless `frame` says otherwise. */
  frame(frame: FrameToSend): void {
    this.write(encodeFrame({ mask: crypto.getRandomValues(new Uint8Array(4)), ...frame }));
  }

  text(text: string): void {
    this.frame({ opcode: opcodes.text, payload: Buffer.from(text) });
  }

  binary(payload: Uint8Array): void {
    this.frame({ opcode: opcodes.binary, payload });
  }

  ping(payload: Uint8Array): void {
    this.frame({ opcode: opcodes.ping, payload });
  }

  /** Sends a Close frame; empty without a code. */
  close(code?: number, reason = ""): void {
    const payload = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) payload.writeUInt16BE(code);
    this.frame({ opcode: opcodes.close, payload: Buffer.concat([payload, Buffer.from(reason)]) });
  }

  /** Sends raw bytes: outside of a frame, or a part of one. */
  write(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Waits until the kernel has accepted everything written so far. */
  async flush(limitMs = 30_000): Promise<void> {
    if (this.socket.writableLength === 0 || this.isEnded) return;
    if (!this.socket.writableNeedDrain) return await this.flushSmall(limitMs);
    const { promise, resolve } = Promise.withResolvers<void>();
    const onTaken = (): void => resolve();
    this.socket.once("drain", onTaken).once("close", onTaken);
    try {
      await within("the peer to take what was sent", limitMs, promise, () => this.describe());
    } finally {
      this.socket.off("drain", onTaken).off("close", onTaken);
    }
  }

  /** "drain" follows only a write that filled the buffer; a smaller one emits no event. */
  private async flushSmall(limitMs: number): Promise<void> {
    const isTaken = (): boolean => this.socket.writableLength === 0 || this.isEnded;
    await until("the peer to take what was sent", limitMs, isTaken, () => this.describe());
  }

  /** Bytes written here that the kernel has not accepted yet. */
  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  /** Stops reading, so that the peer's answers fill its buffers and the kernel's. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Cuts the connection as a crash does: with an RST, and bytes still in the kernel are lost. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Ends the TCP connection without a Close frame. */
  end(): void {
    this.socket.end();
  }

  get isOpen(): boolean {
    return !this.isEnded;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

async function connectTcp(url: string, limitMs: number): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("connect", resolve);
  socket.once("error", reject);
  try {
    await within(`connection to ${url}`, limitMs, promise);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.off("error", reject);
  return socket;
}

function handshakeRequest(url: string, options: HandshakeOptions): string {
  const { host, pathname, search } = new URL(url);
  const headers: Record<string, string | undefined> = {
    Host: host,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": crypto.getRandomValues(Buffer.alloc(16)).toString("base64"),
    ...options.headers,
  };
  const lines = Object.entries(headers)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${options.path ?? pathname + search} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** Reads the head of the response; the rest of its last chunk belongs to the frames. */
function readHead(socket: Socket): Promise<{ response: HandshakeResponse; rest: Buffer }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ response: HandshakeResponse; rest: Buffer }>();
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end === -1 && head.length < maxHeadBytes) return;
    stopListening();
    // Frames that follow must stay buffered until their listener is attached.
    socket.pause();
    if (end === -1) reject(new Error("the response head has no end"));
    else resolve({ response: parseHead(head.toString("latin1", 0, end)), rest: head.subarray(end + 4) });
  };
  const onEnd = (): void => {
    stopListening();
    reject(new Error(`connection ended in the handshake after ${JSON.stringify(head.toString("latin1"))}`));
  };
  const stopListening = (): void => {
    socket.off("data", onData).off("close", onEnd).off("error", onEnd);
  };
  socket.on("data", onData).on("close", onEnd).on("error", onEnd);
  return promise;
}

function parseHead(head: string): HandshakeResponse {
  const [statusExchange = "", ...lines] = head.split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusExchange)?.[1]);
  if (Number.isNaN(status)) throw new Error(`no HTTP status in ${JSON.stringify(statusExchange)}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return { status, headers };
}
