/**
 * A small client of the audio cache protocol over bare frames. It is written from the protocol's description alone and
 * shares no code with the server. Each `expect` method takes the next frame and fails with a description of it.
 */
import { defaultLimitMs, RawWebSocket, type HandshakeOptions } from "./raw-websocket.ts";
import { describeFrame, opcodes, type Frame } from "./websocket-frames.ts";

export const usualFrameBytes = 64 * 1024;

/** A control message of the server; `text` is the frame as received. */
export interface ControlReply {
  text: string;
  type: string;
  streamId: string | undefined;
  message: string;
  size: number | undefined;
  sha256: string | undefined;
  offset: number | undefined;
  resumable: unknown;
}

let idsGiven = 0;

/** A stream id unique to this run. */
export function freshId(subject: string): string {
  idsGiven += 1;
  return `${subject}-${idsGiven}`;
}

export class AudioCachePeer {
  readonly socket: RawWebSocket;

  /** Connects; throws if the server rejects the handshake. */
  static async open(url: string, options: HandshakeOptions = {}): Promise<AudioCachePeer> {
    const socket = await RawWebSocket.open(url, options);
    if (socket.response.status === 101) return new AudioCachePeer(socket);
    socket[Symbol.dispose]();
    throw new Error(`handshake refused with status ${socket.response.status}`);
  }

  private constructor(socket: RawWebSocket) {
    this.socket = socket;
  }

  /** Sends a control message; omits undefined fields, sends null ones. */
  send(message: Record<string, unknown>): void {
    this.socket.text(JSON.stringify(message));
  }

  /** Sends audio in binary frames of `frameBytes`, as fast as the server reads them. */
  async sendAudio(bytes: Uint8Array, frameBytes = usualFrameBytes): Promise<void> {
    for (let at = 0; at < bytes.length; at += frameBytes) {
      this.socket.binary(bytes.subarray(at, at + frameBytes));
      await this.socket.flush();
    }
  }

  get(streamId: string, offset: number, length: number): void {
    this.send({ type: "GET", streamId, offset, length });
  }

  async start(streamId: string, fields: Record<string, unknown> = {}): Promise<ControlReply> {
    this.send({ type: "START", streamId, ...fields });
    return await this.expectControl("STARTED", streamId);
  }

  /** Resumes an upload; returns the offset to continue from. */
  async resume(streamId: string): Promise<number> {
    const reply = await this.start(streamId, { resume: true });
    if (reply.offset === undefined) throw new Error(`STARTED of a resume without an offset: ${reply.text}`);
    return reply.offset;
  }

  async stop(streamId: string, limitMs = defaultLimitMs): Promise<ControlReply> {
    this.send({ type: "STOP", streamId });
    return await this.expectControl("STOPPED", streamId, limitMs);
  }

  async upload(streamId: string, bytes: Uint8Array, frameBytes = usualFrameBytes): Promise<ControlReply> {
    await this.start(streamId);
    await this.sendAudio(bytes, frameBytes);
    return await this.stop(streamId);
  }

  /** One GET and its binary answer. */
  async read(streamId: string, offset: number, length: number): Promise<Buffer> {
    this.get(streamId, offset, length);
    return await this.expectBinary();
  }

  /** Waits until the server has received all `size` bytes sent for a live stream. */
  async untilReceived(streamId: string, size: number): Promise<void> {
    const last = await this.read(streamId, size - 1, 1);
    if (last.length !== 1) throw new Error(`the server does not have all ${size} bytes of ${streamId}`);
  }

  /** Downloads `size` bytes with `window` GETs in flight; each answer must have the requested length. */
  async download(streamId: string, size: number, chunkBytes = usualFrameBytes, window = 8): Promise<Buffer> {
    const whole = Buffer.alloc(size);
    let asked = 0;
    for (let got = 0; got < size; got += chunkBytes) {
      for (; asked < size && asked < got + window * chunkBytes; asked += chunkBytes) {
        this.get(streamId, asked, chunkBytes);
      }
      const piece = await this.expectBinary();
      const expected = Math.min(chunkBytes, size - got);
      if (piece.length !== expected) {
        throw new Error(`GET of ${streamId} at ${got} returned ${piece.length} bytes instead of ${expected}`);
      }
      whole.set(piece, got);
    }
    return whole;
  }

  async next(limitMs = defaultLimitMs): Promise<Frame> {
    return await this.socket.next(limitMs);
  }

  /** The next frame, which must be a whole control message of this type (in any case) and stream. */
  async expectControl(type: string, streamId?: string, limitMs = defaultLimitMs): Promise<ControlReply> {
    const frame = await this.next(limitMs);
    const reply = controlOf(frame);
    const isExpected =
      reply?.type.toUpperCase() === type && (streamId === undefined || reply.streamId === streamId);
    if (reply === undefined || !isExpected) {
      throw new Error(`expected ${type} of ${streamId ?? "any stream"}, received ${describeFrame(frame)}`);
    }
    return reply;
  }

  /** The next frame, which must be an ERROR with the message `expected`, optionally with a reason in brackets. */
  async expectError(expected: string | RegExp, limitMs = defaultLimitMs): Promise<ControlReply> {
    const frame = await this.next(limitMs);
    const reply = controlOf(frame);
    const isExpected = reply?.type.toUpperCase() === "ERROR" && isErrorMessage(reply.message, expected);
    if (reply === undefined || !isExpected) {
      throw new Error(`expected ERROR ${String(expected)}, received ${describeFrame(frame)}`);
    }
    return reply;
  }

  /** Accepts any number of ERRORs up to one that begins with `start`: the server decides how often to report stray audio. */
  async expectErrorsUntil(start: string): Promise<void> {
    for (;;) {
      const reply = await this.expectError(/./);
      if (reply.message.startsWith(start)) return;
    }
  }

  /** The payload of the next frame, which must be a single, plain binary frame. */
  async expectBinary(limitMs = defaultLimitMs): Promise<Buffer> {
    const frame = await this.next(limitMs);
    const isPlain = frame.opcode === opcodes.binary && frame.fin && frame.rsv === 0 && !frame.masked;
    if (!isPlain) throw new Error(`expected one binary frame, received ${describeFrame(frame)}`);
    return frame.payload;
  }

  /** Fails unless the server answers a ping and sends nothing before the pong. */
  async expectQuiet(): Promise<void> {
    const mark = crypto.getRandomValues(Buffer.alloc(8));
    this.socket.ping(mark);
    const frame = await this.next();
    if (frame.opcode === opcodes.pong && frame.payload.equals(mark)) return;
    throw new Error(`expected nothing but the pong, received ${describeFrame(frame)}`);
  }

  /** Closes and waits for the server's Close: by then the server has read everything sent before. */
  async close(): Promise<void> {
    this.socket.close(1000);
    for (;;) {
      const frame = await this.next();
      if (frame.opcode === opcodes.close) break;
    }
    this.socket.end();
    await this.socket.ended;
  }

  [Symbol.dispose](): void {
    this.socket[Symbol.dispose]();
  }
}

/** The control message in a frame, or undefined if it is not one. */
export function controlOf(frame: Frame): ControlReply | undefined {
  if (frame.opcode !== opcodes.text || !frame.fin || frame.rsv !== 0) return undefined;
  const text = frame.payload.toString("utf8");
  const fields: unknown = JSON.parse(text);
  if (typeof fields !== "object" || fields === null) return undefined;
  const values = new Map<string, unknown>(Object.entries(fields));
  return {
    text,
    type: textOf(values.get("type")) ?? "",
    streamId: textOf(values.get("streamId")),
    message: textOf(values.get("message")) ?? "",
    size: numberOf(values.get("size")),
    sha256: textOf(values.get("sha256")),
    offset: numberOf(values.get("offset")),
    resumable: values.get("resumable"),
  };
}

function isErrorMessage(message: string, expected: string | RegExp): boolean {
  if (typeof expected !== "string") return expected.test(message);
  if (message === expected) return true;
  return message.startsWith(`${expected} (`) && message.endsWith(")");
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
