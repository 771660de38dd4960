/** Live audio that the encoding thread encodes, seen from the main thread. */
import { errorOfNumber, type WavecacheError } from "../base/errors.ts";
import { maxLiveBacklogMs } from "../base/limits/recordings.ts";
import type { EncoderReply, EncoderRequest, LiveTask } from "../store/sounds/encoder-calls.ts";
import { splitPackets } from "../store/sounds/packets.ts";

/** The audio of one recording. */
export interface LiveEncoding {
  /** Encodes PCM16, interleaved. Returns false if the thread is too far behind: the audio is skipped. */
  push(pcm: Uint8Array): boolean;
  /** No event follows. */
  close(): void;
}

export interface LiveEncodingEvents {
  /** Packets of 20 ms, in order. They share one buffer, which the receiver owns. */
  packets(packets: Uint8Array[]): void;
  /** The encoding has ended by itself. */
  failed(error: WavecacheError): void;
}

interface Stream {
  events: LiveEncodingEvents;
  maxBacklogBytes: number;
  /** Sizes of the pushes that the thread has not encoded, oldest first, and their sum. */
  backlog: number[];
  backlogBytes: number;
}

type LiveReply = Extract<EncoderReply, { kind: "live" | "liveFailed" }>;

export class LiveEncodings {
  readonly #streams = new Map<number, Stream>();
  readonly #send: (request: EncoderRequest) => void;

  constructor(send: (request: EncoderRequest) => void) {
    this.#send = send;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Whether the thread has something to encode. */
  get isBehind(): boolean {
    return this.#streams.values().some(({ backlog }) => backlog.length > 0);
  }

  open(id: number, task: LiveTask, events: LiveEncodingEvents): LiveEncoding {
    const maxBacklogBytes = (2 * task.sampleRate * task.channels * maxLiveBacklogMs) / 1000;
    this.#streams.set(id, { events, maxBacklogBytes, backlog: [], backlogBytes: 0 });
    this.#send({ kind: "openLive", id, ...task });
    return { push: (pcm) => this.#push(id, pcm), close: () => this.#close(id) };
  }

  receive(reply: LiveReply): void {
    const stream = this.#streams.get(reply.id);
    if (stream === undefined) return;
    if (reply.kind === "liveFailed") {
      this.#streams.delete(reply.id);
      return stream.events.failed(errorOfNumber(reply.errorNumber, reply.detail || undefined));
    }
    for (const bytes of stream.backlog.splice(0, reply.pushes)) stream.backlogBytes -= bytes;
    if (reply.lengths.length > 0) stream.events.packets(splitPackets(reply));
  }

  /** The thread is gone. */
  lose(error: WavecacheError): void {
    const lost = [...this.#streams.values()];
    this.#streams.clear();
    for (const { events } of lost) events.failed(error);
  }

  #push(id: number, pcm: Uint8Array): boolean {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.backlogBytes > stream.maxBacklogBytes) return false;
    stream.backlog.push(pcm.length);
    stream.backlogBytes += pcm.length;
    this.#send({ kind: "pushLive", id, pcm });
    return true;
  }

  #close(id: number): void {
    if (this.#streams.delete(id)) this.#send({ kind: "closeLive", id });
  }
}
