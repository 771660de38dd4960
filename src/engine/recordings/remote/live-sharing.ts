/**
 * Shares the recordings of this node with others: they find them by name, and get the audio while they listen. A listener
 * is another node; it listens until it says otherwise, or until it has not renewed its lease in time.
 */
import { type Bus, type BusMessage, subjectToken } from "../../../bus/bus.ts";
import { listenLeaseMs, listenRenewalMs, maxRemoteListeners } from "../../../base/limits/bus.ts";
import type { Handshake } from "../../../wire/ingest.ts";
import {
  decodeListen,
  encodeFound,
  encodeListenAnswer,
  type FoundRecording,
} from "../../../wire/cluster/listening.ts";
import type { LiveListener } from "../live-feed.ts";
import { LiveBroadcast } from "./live-broadcast.ts";

/** A recording of this node. */
export interface SharedRecording {
  readonly connection: string;
  readonly hwid: string | null;
  readonly handshake: Handshake;
  readonly live: { add(listener: LiveListener): void; remove(listener: LiveListener): void };
}

/** Finds the newest recording of this node by a name; undefined if there is none. */
export type FindShared = (name: string) => SharedRecording | undefined;

export class LiveSharing {
  readonly #bus: Bus;
  readonly #find: FindShared;
  readonly #shared = new Map<SharedRecording, Share>();
  /** How many recordings have a name, and what ends its subscription. */
  readonly #names = new Map<string, { uses: number; unsubscribe: () => void }>();
  #timer: Timer | undefined;

  constructor(bus: Bus, find: FindShared) {
    this.#bus = bus;
    this.#find = find;
  }

  /** Recordings that other nodes listen to. */
  get heard(): number {
    return [...this.#shared.values()].filter(({ isHeard }) => isHeard).length;
  }

  add(recording: SharedRecording): void {
    this.#shared.set(recording, new Share(this.#bus, recording));
    for (const name of namesOf(recording)) this.#addName(name);
    this.#timer ??= setInterval(() => this.#expire(), listenRenewalMs);
  }

  remove(recording: SharedRecording): void {
    const share = this.#shared.get(recording);
    if (share === undefined) return;
    this.#shared.delete(recording);
    share.close();
    for (const name of namesOf(recording)) this.#removeName(name);
    if (this.#shared.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #addName(name: string): void {
    const known = this.#names.get(name);
    if (known !== undefined) {
      known.uses += 1;
      return;
    }
    const unsubscribe = this.#bus.subscribe(`find.${subjectToken(name)}`, (message) => {
      const recording = this.#find(name);
      if (recording !== undefined) message.respond(encodeFound(describe(recording)));
    });
    this.#names.set(name, { uses: 1, unsubscribe });
  }

  #removeName(name: string): void {
    const known = this.#names.get(name)!;
    known.uses -= 1;
    if (known.uses > 0) return;
    known.unsubscribe();
    this.#names.delete(name);
  }

  #expire(): void {
    const now = performance.now();
    for (const share of this.#shared.values()) share.expire(now);
  }
}

/** One recording, and who listens to it. */
class Share {
  readonly #recording: SharedRecording;
  readonly #broadcast: LiveBroadcast;
  readonly #unsubscribe: () => void;
  /** When the lease of each listener ends. */
  readonly #leases = new Map<string, number>();

  constructor(bus: Bus, recording: SharedRecording) {
    this.#recording = recording;
    this.#broadcast = new LiveBroadcast(bus, recording);
    this.#unsubscribe = bus.subscribe(`listen.${recording.connection}`, (message) => this.#receive(message));
  }

  get isHeard(): boolean {
    return this.#leases.size > 0;
  }

  expire(now: number): void {
    for (const [listener, end] of this.#leases) if (end < now) this.#leave(listener);
  }

  close(): void {
    this.#unsubscribe();
    for (const listener of this.#leases.keys()) this.#leave(listener);
  }

  #receive(message: BusMessage): void {
    const request = decodeListen(message.payload);
    if (request === undefined) return;
    const { listener, isOver } = request;
    if (isOver) this.#leave(listener);
    else if (this.#leases.size >= maxRemoteListeners && !this.#leases.has(listener))
      return message.respond(encodeListenAnswer({ error: "LISTENERS_EXHAUSTED" }));
    else this.#listen(listener);
    message.respond(encodeListenAnswer({}));
  }

  #listen(listener: string): void {
    const isFirst = this.#leases.size === 0;
    this.#leases.set(listener, performance.now() + listenLeaseMs);
    if (isFirst) this.#recording.live.add(this.#broadcast);
  }

  #leave(listener: string): void {
    if (this.#leases.delete(listener) && this.#leases.size === 0)
      this.#recording.live.remove(this.#broadcast);
  }
}

function namesOf({ hwid, handshake }: SharedRecording): string[] {
  const streamId = String(handshake.streamId);
  return hwid === null || hwid === streamId ? [streamId] : [hwid, streamId];
}

function describe({ connection, hwid, handshake }: SharedRecording): FoundRecording {
  const { streamId, codec, frameSamples, sampleRate, channels } = handshake;
  return { connection, hwid, streamId, codec, frameSamples, sampleRate, channels };
}
