/**
 * WebSocket frames as bytes (RFC 6455, section 5.2), written by hand so that a test can also write invalid ones.
 *
 *     byte 0   fin (1 bit), rsv1-3 (3 bits), opcode (4 bits)
 *     byte 1   mask (1 bit), length (7 bits): 126 = the next 2 bytes are the length, 127 = the next 8 bytes
 *     then     4 bytes of mask if the mask bit is set, then the payload (big-endian lengths)
 */

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const maxHeaderBytes = 14;

export interface Frame {
  opcode: number;
  fin: boolean;
  /** The three reserved bits as a number, rsv1 the highest; nonzero only with an extension. */
  rsv: number;
  masked: boolean;
  payload: Buffer;
}

export interface FrameToSend {
  opcode: number;
  payload?: Uint8Array;
  fin?: boolean;
  rsv?: number;
  /** Four bytes; undefined sends the frame unmasked, which clients must not do. */
  mask?: Uint8Array | undefined;
}

/** The bytes of one frame, valid or not, exactly as given. */
export function encodeFrame(frame: FrameToSend): Buffer {
  const payload = frame.payload ?? new Uint8Array(0);
  const lengthBytes = payload.length < 126 ? 0 : payload.length < 65536 ? 2 : 8;
  const maskAt = 2 + lengthBytes;
  const payloadAt = maskAt + (frame.mask === undefined ? 0 : 4);
  const bytes = Buffer.allocUnsafe(payloadAt + payload.length);
  bytes[0] = ((frame.fin ?? true) ? 0x80 : 0) | ((frame.rsv ?? 0) << 4) | frame.opcode;
  bytes[1] =
    (frame.mask === undefined ? 0 : 0x80) |
    (lengthBytes === 0 ? payload.length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) bytes.writeUInt16BE(payload.length, 2);
  if (lengthBytes === 8) bytes.writeBigUInt64BE(BigInt(payload.length), 2);
  if (frame.mask === undefined) bytes.set(payload, payloadAt);
  else maskInto(bytes, maskAt, frame.mask, payload);
  return bytes;
}

function maskInto(bytes: Buffer, maskAt: number, mask: Uint8Array, payload: Uint8Array): void {
  bytes.set(mask, maskAt);
  const payloadAt = maskAt + 4;
  for (let i = 0; i < payload.length; i++) bytes[payloadAt + i] = payload[i]! ^ mask[i & 3]!;
}

/** Splits a byte stream into frames, whatever the chunks it arrives in. */
export class FrameReader {
  private readonly emit: (frame: Frame) => void;
  private readonly header = Buffer.alloc(maxHeaderBytes);
  private headerFilled = 0;
  private current: Frame | undefined;
  private payloadFilled = 0;

  constructor(emit: (frame: Frame) => void) {
    this.emit = emit;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      at = this.current === undefined ? this.takeHeaderByte(chunk, at) : this.takePayload(chunk, at);
    }
  }

  /** True between frames, false while a frame is incomplete. */
  get atBoundary(): boolean {
    return this.headerFilled === 0;
  }

  private takeHeaderByte(chunk: Uint8Array, at: number): number {
    this.header[this.headerFilled++] = chunk[at]!;
    if (this.headerFilled >= 2 && this.headerFilled === this.headerLength()) this.openFrame();
    return at + 1;
  }

  private takePayload(chunk: Uint8Array, at: number): number {
    const frame = this.current!;
    const length = Math.min(frame.payload.length - this.payloadFilled, chunk.length - at);
    frame.payload.set(chunk.subarray(at, at + length), this.payloadFilled);
    this.payloadFilled += length;
    this.closeFrameWhenWhole(frame);
    return at + length;
  }

  private headerLength(): number {
    const second = this.header[1]!;
    const short = second & 0x7f;
    return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
  }

  private openFrame(): void {
    const first = this.header[0]!;
    const frame: Frame = {
      opcode: first & 0x0f,
      fin: (first & 0x80) !== 0,
      rsv: (first >> 4) & 7,
      masked: (this.header[1]! & 0x80) !== 0,
      payload: Buffer.alloc(this.payloadLength()),
    };
    this.current = frame;
    this.payloadFilled = 0;
    this.closeFrameWhenWhole(frame);
  }

  private payloadLength(): number {
    const short = this.header[1]! & 0x7f;
    if (short < 126) return short;
    return short === 126 ? this.header.readUInt16BE(2) : Number(this.header.readBigUInt64BE(2));
  }

  private closeFrameWhenWhole(frame: Frame): void {
    if (this.payloadFilled < frame.payload.length) return;
    this.current = undefined;
    this.headerFilled = 0;
    this.emit(frame);
  }
}

/** A short description of a frame, for the message of a failed test. */
export function describeFrame(frame: Frame): string {
  const name = Object.entries(opcodes).find(([, opcode]) => opcode === frame.opcode)?.[0];
  const marks = `${frame.fin ? "" : " unfinished"}${frame.rsv === 0 ? "" : ` rsv=${frame.rsv}`}${frame.masked ? " masked" : ""}`;
  return `${name ?? `opcode ${frame.opcode}`}${marks} ${describePayload(frame)}`;
}

function describePayload(frame: Frame): string {
  const { opcode, payload } = frame;
  if (opcode === opcodes.text) return payload.toString("utf8").slice(0, 300);
  if (opcode === opcodes.close && payload.length >= 2) {
    return `${payload.readUInt16BE(0)} ${JSON.stringify(payload.toString("utf8", 2))}`;
  }
  const start = payload.length === 0 ? "" : `: ${payload.toString("hex", 0, Math.min(16, payload.length))}`;
  return `of ${payload.length} bytes${start}${payload.length > 16 ? "..." : ""}`;
}
