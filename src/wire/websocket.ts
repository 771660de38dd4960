/**
 * WebSocket frames of a client (RFC 6455, section 5.2), for connections that the platform's WebSocket refuses.
 *
 *     byte 0   fin (1 bit), three reserved bits, opcode (4 bits)
 *     byte 1   mask (1 bit), length (7 bits): 126 = the next 2 bytes are the length, 127 = the next 8 bytes
 *     then     4 bytes of mask if the mask bit is set, then the payload (big-endian lengths)
 */

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface WebSocketFrame {
  opcode: number;
  isLast: boolean;
  payload: Uint8Array<ArrayBuffer>;
}

/** One whole message in one frame, with this mask of four bytes. */
export function encodeClientFrame(
  opcode: number,
  payload: Uint8Array,
  mask: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const lengthBytes = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const payloadAt = 2 + lengthBytes + mask.length;
  const frame = new Uint8Array(payloadAt + payload.length);
  const view = new DataView(frame.buffer);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (lengthBytes === 0 ? payload.length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) view.setUint16(2, payload.length);
  if (lengthBytes === 8) view.setBigUint64(2, BigInt(payload.length));
  frame.set(mask, 2 + lengthBytes);
  for (let i = 0; i < payload.length; i++) frame[payloadAt + i] = payload[i]! ^ mask[i & 3]!;
  return frame;
}

/** Splits the bytes of a server into frames, whatever the chunks they arrive in. */
export class FrameReader {
  readonly #maxPayloadBytes: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxPayloadBytes: number) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** The next whole frame; undefined until more bytes arrive. Throws RangeError for what no server may send. */
  next(): WebSocketFrame | undefined {
    const head = this.#peek(10);
    if (head.length < 2) return undefined;
    if ((head[0]! & 0x70) !== 0) throw new RangeError("a frame with reserved bits");
    if ((head[1]! & 0x80) !== 0) throw new RangeError("a masked frame");
    const short = head[1]! & 0x7f;
    const headBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (head.length < headBytes) return undefined;
    const length = payloadLength(head, short);
    if (length > this.#maxPayloadBytes) throw new RangeError(`a frame of ${length} bytes`);
    if (this.#bytes < headBytes + length) return undefined;
    const payload = this.#take(headBytes + length).slice(headBytes);
    return { opcode: head[0]! & 0x0f, isLast: (head[0]! & 0x80) !== 0, payload };
  }

  #peek(bytes: number): Uint8Array {
    if ((this.#chunks[0]?.length ?? 0) < bytes) this.#join();
    return (this.#chunks[0] ?? new Uint8Array(0)).subarray(0, bytes);
  }

  #take(bytes: number): Uint8Array {
    if (this.#chunks[0]!.length < bytes) this.#join();
    const first = this.#chunks[0]!;
    this.#bytes -= bytes;
    if (first.length === bytes) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(bytes);
    return first.subarray(0, bytes);
  }

  #join(): void {
    if (this.#chunks.length <= 1) return;
    const joined = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [joined];
  }
}

function payloadLength(head: Uint8Array, short: number): number {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (short === 126) return view.getUint16(2);
  return short === 127 ? Number(view.getBigUint64(2)) : short;
}
