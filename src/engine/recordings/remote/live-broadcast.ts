/** Publishes the live audio of one recording to all nodes that listen. What the bus does not take is skipped. */
import { maxBusAudioBytes } from "../../../base/limits/bus.ts";
import type { Bus } from "../../../bus/bus.ts";
import { encodeLiveAudio } from "../../../wire/live.ts";
import type { LiveListener } from "../live-feed.ts";

export interface BroadcastSource {
  readonly connection: string;
  readonly handshake: { readonly sampleRate: number; readonly channels: number };
}

const nothing = new Uint8Array(0);

export class LiveBroadcast implements LiveListener {
  readonly #bus: Bus;
  readonly #subject: string;
  readonly #sampleRate: number;
  readonly #channels: number;
  /** Samples a channel that are missing before the next message. */
  #skipped = 0;

  constructor(bus: Bus, { connection, handshake }: BroadcastSource) {
    this.#bus = bus;
    this.#subject = `audio.${connection}`;
    this.#sampleRate = handshake.sampleRate;
    this.#channels = handshake.channels;
  }

  push(pcm: Uint8Array, timeMs: number): void {
    const frameBytes = this.#frameBytes;
    const pieceBytes = maxBusAudioBytes - (maxBusAudioBytes % frameBytes);
    for (let from = 0; from < pcm.length; from += pieceBytes) {
      const piece = pcm.subarray(from, from + pieceBytes);
      this.#send(piece, timeMs + (from / frameBytes / this.#sampleRate) * 1000);
    }
  }

  skip(bytes: number): void {
    this.#skipped += bytes / this.#frameBytes;
  }

  end(): void {
    this.#bus.publish(this.#subject, nothing);
  }

  get #frameBytes(): number {
    return 2 * this.#channels;
  }

  #send(pcm: Uint8Array, timeMs: number): void {
    const format = { sampleRate: this.#sampleRate, channels: this.#channels };
    const message = encodeLiveAudio({ ...format, skipped: this.#skipped, timeMs, pcm });
    if (this.#bus.publish(this.#subject, message)) this.#skipped = 0;
    else this.skip(pcm.length);
  }
}
