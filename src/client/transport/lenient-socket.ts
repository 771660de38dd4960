/**
 * A WebSocket over a bare socket that accepts text which is not UTF-8. Such text arrives as a binary message; everything
 * else is as with the platform's WebSocket, without subprotocols and extensions.
 */
import { createHash, randomBytes } from "node:crypto";
import * as net from "node:net";
import * as tls from "node:tls";
import { encodeClientFrame, FrameReader, opcodes, type WebSocketFrame } from "../../wire/websocket.ts";
import { closeTimeoutMs, maxGetBytes, maxHandshakeBytes } from "../limits.ts";
import type { Socket } from "./platform.ts";

interface Events {
  open: [];
  message: [event: { data: unknown }];
  error: [event: { message?: string; error?: unknown }];
  close: [event: { code: number; reason: string }];
}
type Listeners = { [T in keyof Events]: ((...event: Events[T]) => void)[] };

/** From RFC 6455, section 1.3. */
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const noStatus = 1005;
const abnormal = 1006;

export class LenientSocket implements Socket {
  binaryType = "arraybuffer";
  readonly protocol = "";
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #socket: net.Socket;
  readonly #key = randomBytes(16).toString("base64");
  readonly #reader = new FrameReader(maxGetBytes);
  readonly #listeners: Listeners = { open: [], message: [], error: [], close: [] };
  /** The answer to the handshake as far as it has arrived; undefined once the WebSocket is open. */
  #head: Buffer | undefined = Buffer.alloc(0);
  /** The frames of a message that is not complete. */
  #parts: WebSocketFrame[] = [];
  #close = { code: abnormal, reason: "" };

  constructor(
    url: string,
    tlsOptions: tls.ConnectionOptions,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.#headers = headers;
    this.#url = new URL(url);
    const isSecure = this.#url.protocol === "wss:";
    const port = Number(this.#url.port || (isSecure ? 443 : 80));
    const host = this.#url.hostname.replace(/^\[|\]$/g, "");
    const begin = () => this.#socket.write(this.#request());
    const servername = net.isIP(host) === 0 ? { servername: host } : {};
    this.#socket = isSecure
      ? tls.connect({ ...tlsOptions, ...servername, host, port }, begin)
      : net.connect({ host, port }, begin);
    this.#socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    this.#socket.on("error", (error) => this.#fail(error.message, error));
    this.#socket.on("end", () => this.#socket.end());
    this.#socket.on("close", () => this.#emit("close", this.#close));
  }

  get bufferedAmount(): number {
    return this.#socket.writableLength;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (typeof data === "string") this.#send(opcodes.text, Buffer.from(data));
    else this.#send(opcodes.binary, data);
  }

  close(code?: number): void {
    if (this.#head !== undefined) return this.terminate();
    this.#send(opcodes.close, code === undefined ? new Uint8Array(0) : Uint8Array.of(code >> 8, code & 0xff));
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), closeTimeoutMs).unref();
  }

  terminate(): void {
    this.#socket.destroy();
  }

  addEventListener<T extends keyof Events>(type: T, listener: (...event: Events[T]) => void): void {
    this.#listeners[type].push(listener);
  }

  #request(): string {
    const { pathname, search, host } = this.#url;
    return [
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${this.#key}`,
      "Sec-WebSocket-Version: 13",
      ...Object.entries(this.#headers).map(([name, value]) => `${name}: ${value}`),
      "\r\n",
    ].join("\r\n");
  }

  #receive(bytes: Buffer): void {
    try {
      const rest = this.#head === undefined ? bytes : this.#receiveHead(this.#head, bytes);
      if (rest === undefined) return;
      this.#reader.push(rest);
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next())
        this.#handle(frame);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#fail(error.message, error);
    }
  }

  /** The bytes behind the head of the answer; undefined until it is complete. */
  #receiveHead(before: Buffer, bytes: Buffer): Buffer | undefined {
    const head = Buffer.concat([before, bytes]);
    this.#head = head;
    const end = head.indexOf("\r\n\r\n");
    if (end < 0 && head.length > maxHandshakeBytes)
      throw new RangeError("the answer to the handshake is too long");
    if (end < 0) return undefined;
    const text = head.toString("latin1", 0, end);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    if (status !== "101") throw new RangeError(`Expected 101 status code: ${status ?? "none"}`);
    const accept = createHash("sha1")
      .update(this.#key + acceptSuffix)
      .digest("base64");
    if (/^sec-websocket-accept: *(\S+)/im.exec(text)?.[1] !== accept) throw new RangeError("no WebSocket");
    this.#head = undefined;
    this.#emit("open");
    return head.subarray(end + 4);
  }

  #handle(frame: WebSocketFrame): void {
    switch (frame.opcode) {
      case opcodes.ping:
        return this.#send(opcodes.pong, frame.payload);
      case opcodes.pong:
        return;
      case opcodes.close:
        this.#close = closeOf(frame.payload);
        return void this.#socket.end();
      default:
        this.#parts.push(frame);
        if (this.#parts.reduce((sum, { payload }) => sum + payload.length, 0) > maxGetBytes) {
          throw new RangeError("a message that is too long");
        }
        if (frame.isLast) this.#emitMessage(this.#parts.splice(0));
    }
  }

  #emitMessage(parts: WebSocketFrame[]): void {
    const bytes = parts.length === 1 ? parts[0]!.payload : Buffer.concat(parts.map(({ payload }) => payload));
    const text = parts[0]!.opcode === opcodes.text ? textOf(bytes) : undefined;
    // A copy without the rest of the buffer that the bytes may be a view of.
    this.#emit("message", { data: text ?? Uint8Array.from(bytes).buffer });
  }

  #send(opcode: number, payload: Uint8Array): void {
    if (this.#head === undefined && this.#socket.writable) {
      this.#socket.write(encodeClientFrame(opcode, payload, randomBytes(4)));
    }
  }

  #fail(message: string, error: unknown): void {
    this.#emit("error", { message, error });
    this.#socket.destroy();
  }

  #emit<T extends keyof Events>(type: T, ...event: Events[T]): void {
    for (const listener of this.#listeners[type]) listener(...event);
  }
}

/** Undefined if the bytes are not UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function closeOf(payload: Uint8Array): { code: number; reason: string } {
  if (payload.length < 2) return { code: noStatus, reason: "" };
  return { code: (payload[0]! << 8) | payload[1]!, reason: new TextDecoder().decode(payload.subarray(2)) };
}
