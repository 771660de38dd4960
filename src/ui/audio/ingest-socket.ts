/**
 * Sends frames to the server as a device of live ingest (docs/ingest.md). A lost connection is replaced, and sequence
 * numbers continue, so that the recording tells what was lost meanwhile.
 */
import {
  codecPcm16,
  encodeFrameHeader,
  encodeHandshake,
  frameHeaderBytes,
  nextSeq,
} from "../../wire/ingest.ts";

export type IngestState = "connecting" | "sending" | "lost" | "refused";

export interface IngestSettings {
  url: string;
  sampleRate: number;
  frameSamples: number;
  onState: (state: IngestState, reason: string) => void;
}

/** A number for the file names of the recordings. */
const streamId = 1;
const firstDelayMs = 500;
const maxDelayMs = 8_000;
/** Frames beyond this are dropped while the network is too slow: a live sender must not fall behind. */
const maxBufferedBytes = 256 * 1024;
/** Audio of this length is kept while there is no connection, and sent first on the next one. */
const keptFrames = 250;
/** Close codes after which another attempt would fail, too. */
const finalCodes: ReadonlySet<number> = new Set([1008, 4401, 4403]);

export class IngestSocket {
  readonly #settings: IngestSettings;
  #socket: WebSocket | undefined;
  #kept: Uint8Array<ArrayBuffer>[] = [];
  #seq = 0;
  #delayMs = firstDelayMs;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(settings: IngestSettings) {
    this.#settings = settings;
    this.#connect();
  }

  /** PCM16 of one frame. */
  send(pcm: ArrayBuffer): void {
    const message = new Uint8Array(frameHeaderBytes + pcm.byteLength);
    encodeFrameHeader(message, 0, codecPcm16, this.#seq, pcm.byteLength);
    message.set(new Uint8Array(pcm), frameHeaderBytes);
    this.#seq = nextSeq(this.#seq);
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) {
      this.#kept.push(message);
      if (this.#kept.length > keptFrames) this.#kept.shift();
    } else if (socket.bufferedAmount < maxBufferedBytes) socket.send(message);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#socket?.close(1000);
  }

  #connect(): void {
    const { url, onState } = this.#settings;
    onState("connecting", "");
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener("open", () => this.#begin(socket));
    socket.addEventListener("close", (event) => this.#lost(event));
  }

  #begin(socket: WebSocket): void {
    const { sampleRate, frameSamples, onState } = this.#settings;
    const format = { streamId, sampleRate, channels: 1, codec: codecPcm16, frameSamples };
    socket.send(encodeHandshake({ ...format, timestampMs: Date.now() }));
    for (const message of this.#kept.splice(0)) socket.send(message);
    this.#delayMs = firstDelayMs;
    onState("sending", "");
  }

  #lost({ code, reason }: CloseEvent): void {
    if (this.#isClosed) return;
    if (finalCodes.has(code)) return this.#settings.onState("refused", reason);
    this.#settings.onState("lost", reason);
    this.#retry = setTimeout(() => this.#connect(), this.#delayMs);
    this.#delayMs = Math.min(2 * this.#delayMs, maxDelayMs);
  }
}
