/**
 * A device of live ingest over bare frames. It is written from the protocol's description alone and shares no code with
 * the server.
 */
import { RawWebSocket } from "./raw-websocket.ts";
import { describeFrame, opcodes } from "./websocket-frames.ts";

export interface DeviceFormat {
  streamId: number;
  sampleRate: number;
  channels: number;
  /** 0 PCM16, 1 IMA ADPCM. */
  codec: number;
  frameSamples: number;
}

export const pcmFormat: DeviceFormat = {
  streamId: 7,
  sampleRate: 16_000,
  channels: 1,
  codec: 0,
  frameSamples: 320,
};
export const adpcmFormat: DeviceFormat = { ...pcmFormat, codec: 1 };

export function handshakeMessage(format: DeviceFormat): Buffer {
  const message = Buffer.alloc(32);
  message.writeUInt32LE(0x41445043, 0);
  message.writeUInt16LE(1, 4);
  message.writeUInt16LE(32, 6);
  message.writeUInt32LE(format.streamId, 8);
  message.writeUInt32LE(format.sampleRate, 12);
  message.writeUInt16LE(format.channels, 16);
  message.writeUInt16LE(format.codec, 18);
  message.writeUInt16LE(format.frameSamples, 20);
  message.writeBigUInt64LE(BigInt(Date.now()), 24);
  return message;
}

export function frameMessage(codec: number, seq: number, payload: Uint8Array): Buffer {
  const message = Buffer.alloc(12 + payload.length);
  message.writeUInt32LE(codec === 1 ? 0x41445046 : 0x464d4350, 0);
  message.writeUInt32LE(payload.length, 4);
  message.writeUInt32LE(seq >>> 0, 8);
  message.set(payload, 12);
  return message;
}

/** A payload of PCM16 samples that count up through the stream: a lost or duplicated sample breaks the count. */
export function countingPayload(first: number, samples: number): Buffer {
  const payload = Buffer.alloc(2 * samples);
  for (let at = 0; at < samples; at++) payload.writeInt16LE(((first + at) << 16) >> 16, 2 * at);
  return payload;
}

/** Whether samples count up from `first`. */
export function isCounting(samples: Int16Array, first = 0): boolean {
  return samples.every((sample, at) => sample === ((first + at) << 16) >> 16);
}

export class IngestDevice {
  readonly socket: RawWebSocket;
  readonly format: DeviceFormat;
  seq = 0;

  /** Connects to `base` (`http://host:port`) and sends the handshake. */
  static async open(
    base: string,
    format: DeviceFormat,
    hwid?: string,
    token?: string,
  ): Promise<IngestDevice> {
    const query = token === undefined ? "" : `?token=${token}`;
    const path = (hwid === undefined ? "/ws" : `/ws/${encodeURIComponent(hwid)}`) + query;
    const socket = await RawWebSocket.open(`${base.replace("http", "ws")}${path}`);
    if (socket.response.status !== 101) throw new Error(`rejected with status ${socket.response.status}`);
    const device = new IngestDevice(socket, format);
    socket.binary(handshakeMessage(format));
    return device;
  }

  private constructor(socket: RawWebSocket, format: DeviceFormat) {
    this.socket = socket;
    this.format = format;
  }

  /** Sends a frame with the next sequence number. */
  send(payload: Uint8Array): void {
    this.socket.binary(frameMessage(this.format.codec, this.seq, payload));
    this.seq = (this.seq + 1) >>> 0;
  }

  /** Code and reason of the server's Close, which is the only frame it ever sends. */
  async closed(limitMs?: number): Promise<{ code: number; reason: string }> {
    const frame = await this.socket.next(limitMs);
    if (frame.opcode !== opcodes.close) throw new Error(`expected a close, received ${describeFrame(frame)}`);
    return { code: frame.payload.readUInt16BE(0), reason: frame.payload.toString("utf8", 2) };
  }

  /** Closes and waits for the server's Close: by then the server has read everything. */
  async close(): Promise<void> {
    this.socket.close(1000);
    await this.closed();
    this.socket.end();
    await this.socket.ended;
  }

  [Symbol.dispose](): void {
    this.socket[Symbol.dispose]();
  }
}
