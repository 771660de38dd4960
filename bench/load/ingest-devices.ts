/**
 * Devices that send live audio in real time. Each is a bare TCP connection that sends prepared WebSocket frames with a zero
 * mask, which keeps the generator cheap. Its audio is speech in mono IMA ADPCM.
 */
import type { Socket } from "bun";
import { AdpcmEncoder, adpcmFrameBytes } from "../../src/codec/ima-adpcm.ts";
import {
  codecImaAdpcm,
  encodeFrameHeader,
  encodeHandshake,
  frameHeaderBytes,
} from "../../src/wire/ingest.ts";

export const sampleRate = 16_000;
const speech = new URL("../../data/samples/speech-16k-mono.wav", import.meta.url);
const wavHeaderBytes = 44;

/** How they send. */
export interface Sending {
  frameMs: number;
  seconds: number;
  /** Ends it earlier. */
  signal?: AbortSignal;
}

/** The speech in ADPCM, high nibble first, one payload per frame. */
export async function codedSpeech(frameSamples: number): Promise<Uint8Array[]> {
  const pcm = new Int16Array((await Bun.file(speech).arrayBuffer()).slice(wavHeaderBytes));
  const encoder = new AdpcmEncoder(1, "high");
  return Array.from({ length: Math.floor(pcm.length / frameSamples) }, (_, frame) => {
    const payload = new Uint8Array(adpcmFrameBytes(frameSamples, 1));
    encoder.encode(pcm, frame * frameSamples, frameSamples, payload, 0);
    return payload;
  });
}

/** A WebSocket message of 126 to 65535 bytes with a zero mask, whose payload the caller fills in. */
function emptyMessage(payloadBytes: number): { frame: Uint8Array; payloadAt: number } {
  const frame = new Uint8Array(8 + payloadBytes);
  frame.set([0x82, 0x80 | 126, payloadBytes >> 8, payloadBytes & 0xff]);
  return { frame, payloadAt: 8 };
}

export class Device {
  readonly hwid: string;
  /** Send time of each frame, in ms by this process's clock. */
  readonly sentAt: number[] = [];
  #socket: Socket | undefined;
  /** Bytes that the kernel has not accepted yet. */
  #rest: Uint8Array[] = [];
  readonly #upgraded = Promise.withResolvers<void>();

  constructor(index: number) {
    this.hwid = `device-${index}`;
  }

  async connect(url: URL, streamId: number, frameSamples: number): Promise<void> {
    this.#socket = await Bun.connect({
      hostname: url.hostname,
      port: Number(url.port),
      socket: {
        // The server sends only the upgrade response, and perhaps a Close.
        data: () => this.#upgraded.resolve(),
        drain: () => this.#drain(),
        error: (_, error) => this.#upgraded.reject(error),
      },
    });
    const key = Buffer.alloc(16).toString("base64");
    this.#write(
      Buffer.from(
        `GET /ws/${this.hwid} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      ),
    );
    await this.#upgraded.promise;
    const handshake = encodeHandshake({
      streamId,
      sampleRate,
      channels: 1,
      codec: codecImaAdpcm,
      frameSamples,
      timestampMs: Date.now(),
    });
    this.#write(Uint8Array.of(0x82, 0x80 | handshake.length, 0, 0, 0, 0, ...handshake));
  }

  /** Sends a message; the caller may change its buffer afterwards. */
  send(message: Uint8Array): void {
    this.sentAt.push(performance.now());
    this.#write(message);
  }

  /** A Close frame with code 1000. */
  close(): void {
    this.#write(Uint8Array.of(0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8));
  }

  end(): void {
    this.#socket?.end();
  }

  #write(bytes: Uint8Array): void {
    const taken = this.#rest.length > 0 ? 0 : this.#socket!.write(bytes);
    if (taken < bytes.length) this.#rest.push(bytes.slice(Math.max(0, taken)));
  }

  #drain(): void {
    while (this.#rest.length > 0) {
      const [next] = this.#rest as [Uint8Array];
      const taken = Math.max(0, this.#socket!.write(next));
      if (taken < next.length) {
        this.#rest[0] = next.subarray(taken);
        return;
      }
      this.#rest.shift();
    }
  }
}

/** Sends every frame when it is due, with the devices spread evenly over a frame's time. Returns the maximum lateness. */
export async function sendInTime(
  devices: Device[],
  payloads: Uint8Array[],
  { seconds, frameMs, signal }: Sending,
): Promise<number> {
  const streams = devices.length;
  const payloadBytes = payloads[0]!.length;
  const { frame, payloadAt } = emptyMessage(frameHeaderBytes + payloadBytes);
  const total = streams * Math.floor((seconds * 1000) / frameMs);
  const began = performance.now();
  let late = 0;
  for (let message = 0; message < total;) {
    if (signal?.aborted === true) break;
    const due = Math.min(total, Math.floor(((performance.now() - began) * streams) / frameMs));
    late = Math.max(late, performance.now() - began - (message * frameMs) / streams);
    for (; message < due; message++) {
      const seq = Math.floor(message / streams);
      encodeFrameHeader(frame, payloadAt, codecImaAdpcm, seq, payloadBytes);
      frame.set(payloads[seq % payloads.length]!, payloadAt + frameHeaderBytes);
      devices[message % streams]!.send(frame);
    }
    await Bun.sleep(1);
  }
  return late;
}
