/** The recordings in progress at other nodes that somebody listens to here. */
import { WavecacheError } from "../../../base/errors.ts";
import { listenLeaseMs, maxRemoteRecordings } from "../../../base/limits/bus.ts";
import type { Log } from "../../../base/log/log.ts";
import { type Bus, subjectToken } from "../../../bus/bus.ts";
import type { LiveEncoding, LiveEncodingEvents } from "../../../pool/live-encodings.ts";
import type { LiveTask } from "../../../store/sounds/encoder-calls.ts";
import { decodeFound } from "../../../wire/cluster/listening.ts";
import { type RemoteHost, RemoteRecording } from "./remote-recording.ts";

/** What remote recordings share with those of this node. */
export interface LiveServices {
  encodeLive(task: LiveTask, events: LiveEncodingEvents): LiveEncoding;
  countSkippedLive(bytes: number): void;
}

const nothing = new Uint8Array(0);

export class RemoteRecordings implements RemoteHost {
  readonly bus: Bus;
  readonly #services: LiveServices;
  readonly #log: Log;
  /** By connection: all listeners of this node share one. */
  readonly #all = new Map<string, RemoteRecording>();

  constructor(bus: Bus, services: LiveServices, log: Log) {
    this.bus = bus;
    this.#services = services;
    this.#log = log;
  }

  /** Those with listeners. */
  get size(): number {
    return [...this.#all.values()].filter(({ listeners }) => listeners > 0).length;
  }

  /** Live listeners of this node to recordings of others. */
  get listeners(): number {
    let count = 0;
    for (const { listeners } of this.#all.values()) count += listeners;
    return count;
  }

  /**
   * Asks the other nodes for a recording by hardware id or stream id; undefined if none has it. Rejects with
   * NODE_UNREACHABLE, LISTENERS_EXHAUSTED.
   */
  async find(name: string): Promise<RemoteRecording | undefined> {
    const answer = await this.bus.request(`find.${subjectToken(name)}`, nothing);
    const found = answer === undefined ? undefined : decodeFound(answer);
    if (found === undefined || "error" in found) return undefined;
    const known = this.#all.get(found.connection);
    if (known !== undefined) return known;
    if (this.#all.size >= maxRemoteRecordings) throw new WavecacheError("LISTENERS_EXHAUSTED");
    const recording = new RemoteRecording(found, this);
    this.#all.set(found.connection, recording);
    // Who has asked may not listen.
    setTimeout(() => this.#forgetUnheard(recording), listenLeaseMs).unref();
    return recording;
  }

  encodeLive(task: LiveTask, events: LiveEncodingEvents): LiveEncoding {
    return this.#services.encodeLive(task, events);
  }

  countSkippedLive(bytes: number): void {
    this.#services.countSkippedLive(bytes);
  }

  encodingFailed({ hwid, handshake }: RemoteRecording, error: unknown): void {
    const { streamId } = handshake;
    this.#log.warn("live audio is not encoded any more", { device: hwid, streamId, error });
  }

  started(recording: RemoteRecording): void {
    this.#all.set(recording.connection, recording);
  }

  released(recording: RemoteRecording): void {
    if (this.#all.get(recording.connection) === recording) this.#all.delete(recording.connection);
  }

  #forgetUnheard(recording: RemoteRecording): void {
    if (recording.listeners === 0) this.released(recording);
  }

  close(): void {
    for (const recording of this.#all.values()) recording.close();
  }
}
