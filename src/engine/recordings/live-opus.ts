/**
 * The live audio of one recording as Opus. It is encoded once for all listeners, while there are any. A listener starts
 * with the last seconds, so that a player has enough to start at once; the first one gets them from the files.
 */
import { WavecacheError } from "../../base/errors.ts";
import { livePastMs } from "../../base/limits/recordings.ts";
import { opusFrameSamples, opusSampleRate } from "../../codec/opus.ts";
import { maxResampleRate, minResampleRate } from "../../codec/resample.ts";
import type { PastAudio } from "../../lane/messages/recordings.ts";
import type { LiveEncoding, LiveEncodingEvents } from "../../pool/live-encodings.ts";
import type { LiveTask } from "../../store/sounds/encoder-calls.ts";
import type { LiveFeed, PastListener } from "./live-feed.ts";

/** Receives Opus packets of 20 ms. */
export interface OpusListener {
  /** All listeners share the packets: never change them. */
  packets(packets: readonly Uint8Array[]): void;
  /** The recording has ended, or it can be heard or encoded no longer. */
  end(error?: WavecacheError): void;
}

/** What the encoding needs of the engine. */
export interface LiveOpusHost {
  feed: LiveFeed;
  sampleRate: number;
  channels: number;
  /** The path of a `.wav` by the name of its segment. */
  wavPath(name: string): string;
  /** Throws LISTENERS_EXHAUSTED, SHUTTING_DOWN or DESCRIPTORS_EXHAUSTED. */
  encode(task: LiveTask, events: LiveEncodingEvents): LiveEncoding;
  /** Counts audio that was skipped because the encoder is behind. */
  countSkipped(bytes: number): void;
  /** Logs that the encoding has ended by itself. */
  failed(error: unknown): void;
}

const maxRecentPackets = (livePastMs / 1000) * (opusSampleRate / opusFrameSamples);

export class LiveOpus implements PastListener {
  readonly #host: LiveOpusHost;
  readonly #listeners = new Set<OpusListener>();
  #encoding: LiveEncoding | undefined;
  /** The newest packets, oldest first. */
  #recent: Uint8Array[] = [];

  constructor(host: LiveOpusHost) {
    this.#host = host;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Throws RATE_NOT_ENCODABLE. */
  add(listener: OpusListener): void {
    const { sampleRate, feed } = this.#host;
    if (sampleRate < minResampleRate || sampleRate > maxResampleRate)
      throw new WavecacheError("RATE_NOT_ENCODABLE");
    if (this.#recent.length > 0) listener.packets(this.#recent);
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) feed.addAfterFiles(this);
  }

  remove(listener: OpusListener): void {
    if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop();
  }

  start(past: PastAudio[]): void {
    const { sampleRate, channels, wavPath, encode } = this.#host;
    const files = past.map(({ name, samples }) => ({ path: wavPath(name), samples }));
    try {
      this.#encoding = encode(
        { sampleRate, channels, past: files },
        { packets: (packets) => this.#pass(packets), failed: (error) => this.#fail(error) },
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  push(pcm: Uint8Array): void {
    if (!this.#encoding!.push(pcm)) this.#host.countSkipped(pcm.length);
  }

  end(error?: WavecacheError): void {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    this.#stop();
    for (const listener of listeners) listener.end(error);
  }

  #pass(packets: Uint8Array[]): void {
    this.#recent.push(...packets);
    this.#recent = this.#recent.slice(-maxRecentPackets);
    for (const listener of this.#listeners) listener.packets(packets);
  }

  #fail(error: unknown): void {
    this.#host.failed(error);
    this.end();
  }

  #stop(): void {
    this.#host.feed.remove(this);
    this.#encoding?.close();
    this.#encoding = undefined;
    this.#recent = [];
  }
}
