/**
 * A recording in progress at another node. It asks that node for audio while there are listeners, and ends when the
 * recording does, or when the node has not answered for a while.
 */
import { randomUUID } from "node:crypto";
import { WavecacheError } from "../../../base/errors.ts";
import { listenRenewalMs, remoteAbsenceMs } from "../../../base/limits/bus.ts";
import { liveHistoryMs } from "../../../base/limits/recordings.ts";
import type { Bus } from "../../../bus/bus.ts";
import type { LiveEncoding, LiveEncodingEvents } from "../../../pool/live-encodings.ts";
import type { LiveTask } from "../../../store/sounds/encoder-calls.ts";
import type { Handshake } from "../../../wire/ingest.ts";
import { decodeListenAnswer, encodeListen, type FoundRecording } from "../../../wire/cluster/listening.ts";
import { decodeLiveAudio } from "../../../wire/live.ts";
import { LiveFeed } from "../live-feed.ts";
import { LiveOpus } from "../live-opus.ts";

/** What a remote recording needs of this node. */
export interface RemoteHost {
  readonly bus: Bus;
  encodeLive(task: LiveTask, events: LiveEncodingEvents): LiveEncoding;
  countSkippedLive(bytes: number): void;
  encodingFailed(recording: RemoteRecording, error: unknown): void;
  /** Somebody listens now. */
  started(recording: RemoteRecording): void;
  /** Nobody listens any more, or it has ended. */
  released(recording: RemoteRecording): void;
}

/** The handshake of a device, as far as other nodes need it. */
type RemoteHandshake = Omit<Handshake, "timestampMs">;

export class RemoteRecording {
  readonly connection: string;
  readonly hwid: string | null;
  readonly handshake: RemoteHandshake;
  readonly live: LiveFeed;
  readonly opus: LiveOpus;
  readonly #host: RemoteHost;
  readonly #listener = randomUUID();
  #unsubscribe: (() => void) | undefined;
  #timer: Timer | undefined;
  /** When the other node has last sent audio, or answered. */
  #heardAt = 0;
  #isOver = false;

  constructor({ connection, hwid, ...handshake }: FoundRecording, host: RemoteHost) {
    this.connection = connection;
    this.hwid = hwid;
    this.handshake = handshake;
    this.#host = host;
    const { sampleRate, channels } = handshake;
    const historyBytes = Math.ceil((sampleRate * liveHistoryMs) / 1000) * 2 * channels;
    this.live = new LiveFeed(historyBytes, (mode) => {
      if (mode === "off") this.#stop();
      else this.#start();
    });
    this.opus = new LiveOpus({
      feed: this.live,
      sampleRate,
      channels,
      wavPath: () => "",
      encode: (task, events) => host.encodeLive(task, events),
      countSkipped: (bytes) => host.countSkippedLive(bytes),
      failed: (error) => host.encodingFailed(this, error),
    });
  }

  /** Live listeners of this node. */
  get listeners(): number {
    const opus = this.opus.listeners;
    // The encoding itself is a listener to the feed.
    return this.live.listeners + (opus > 0 ? opus - 1 : 0);
  }

  /** This node leaves the others. */
  close(): void {
    this.#end();
  }

  #start(): void {
    // The feed counts a request once this has returned.
    queueMicrotask(() => this.live.acknowledge([]));
    if (this.#timer !== undefined) return;
    const { bus } = this.#host;
    this.#host.started(this);
    this.#heardAt = performance.now();
    this.#unsubscribe = bus.subscribe(`audio.${this.connection}`, ({ payload }) => this.#receive(payload));
    this.#timer = setInterval(() => void this.#renew(), listenRenewalMs);
    void this.#renew();
  }

  #receive(message: Uint8Array): void {
    this.#heardAt = performance.now();
    if (message.length === 0) return this.#end();
    const audio = decodeLiveAudio(message);
    const { sampleRate, channels } = this.handshake;
    if (audio?.sampleRate !== sampleRate || audio.channels !== channels) return;
    if (audio.skipped > 0) this.live.skip(audio.skipped * 2 * channels);
    this.live.push(audio.pcm, audio.timeMs);
  }

  async #renew(): Promise<void> {
    const { bus } = this.#host;
    try {
      const request = encodeListen({ listener: this.#listener, isOver: false });
      const answer = await bus.request(`listen.${this.connection}`, request);
      // Nobody has this recording any more: the message that says so was lost.
      if (answer === undefined) return this.#end();
      const said = decodeListenAnswer(answer);
      if (said !== undefined && "error" in said) return this.#end(new WavecacheError("LISTENERS_EXHAUSTED"));
      this.#heardAt = performance.now();
    } catch (error) {
      if (!(error instanceof WavecacheError)) throw error;
      if (performance.now() - this.#heardAt > remoteAbsenceMs) this.#end(error);
    }
  }

  #end(error?: WavecacheError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.live.end(error);
    this.#stop();
  }

  /** If this message is lost, the lease ends. */
  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    const { bus } = this.#host;
    bus.publish(`listen.${this.connection}`, encodeListen({ listener: this.#listener, isOver: true }));
    this.#host.released(this);
  }
}
