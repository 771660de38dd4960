/**
 * The thread that encodes sounds and live audio, seen from the main thread. The first request starts it. If it dies, its requests fail
 * and the next one starts it again.
 */
import { canStartThread } from "../base/system/descriptors.ts";
import { errorOfNumber, WavecacheError } from "../base/errors.ts";
import { maxLiveEncodings } from "../base/limits/recordings.ts";
import { encoderWatchdogMs } from "../base/limits/sounds.ts";
import type { JobFigures } from "../lane/thread-stats.ts";
import type {
  EncodeEnd,
  EncoderReply,
  EncoderRequest,
  EncodeTask,
  InspectTask,
  LiveTask,
} from "../store/sounds/encoder-calls.ts";
import { splitPackets } from "../store/sounds/packets.ts";
import type { AudioFindings } from "../store/streams/audio-reading.ts";
import { type LiveEncoding, type LiveEncodingEvents, LiveEncodings } from "./live-encodings.ts";
import { startWorker } from "./start-worker.ts";

export interface EncodersSettings {
  entry: URL;
  /** The thread died by itself, or was terminated because it hung. */
  onLost: (reason: string) => void;
  /** Default: `encoderWatchdogMs`. */
  watchdogMs?: number;
}

/** A sound that is being encoded. */
export interface Encoding {
  /**
   * Resolves after the last packet; the source may then be closed. Rejects with SOUND_UNREADABLE, SOUND_TOO_LONG,
   * SONG_CHANGED, WORKER_LOST or an error of the system.
   */
  readonly ended: Promise<EncodingEnd>;
  cancel(): void;
}

export type EncodingEnd = Exclude<EncodeEnd, { kind: "failed" }>;

/** Receives packets in order. They share one buffer, which the receiver owns. */
type PacketSink = (packets: Uint8Array[]) => void;

interface PendingEncoding {
  onPackets: PacketSink;
  resolve(end: EncodingEnd): void;
  reject(error: WavecacheError): void;
  /** Of the monotonic clock. */
  requestedAtMs: number;
}

interface PendingInspection {
  resolve(findings: AudioFindings): void;
  reject(error: WavecacheError): void;
}

/** A thread that does not end by itself is terminated this long after `close`. */
const maxCloseMs = 2_000;

export class Encoders {
  readonly #settings: EncodersSettings;
  readonly #pending = new Map<number, PendingEncoding>();
  readonly #inspections = new Map<number, PendingInspection>();
  readonly #live: LiveEncodings;
  #thread: Worker | undefined;
  #threadEnded: Promise<void> = Promise.resolve();
  /** How often the thread died, or was terminated because it hung. */
  #losses = 0;
  readonly #done = { count: 0, ms: 0 };
  #isClosing = false;
  #nextId = 1;
  #watchdog: Timer | undefined;

  constructor(settings: EncodersSettings) {
    this.#settings = settings;
    this.#live = new LiveEncodings((request) => this.#sendLive(request));
  }

  /** Reads what finished audio says of itself. Rejects with WORKER_LOST, SHUTTING_DOWN or DESCRIPTORS_EXHAUSTED. */
  async inspect(task: InspectTask): Promise<AudioFindings> {
    this.#requireThread();
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<AudioFindings>();
    this.#inspections.set(id, { resolve, reject });
    this.#send({ kind: "inspect", id, ...task });
    this.#restartWatchdog();
    return await promise;
  }

  encode(task: EncodeTask, onPackets: PacketSink): Encoding {
    return this.#request("encode", task, onPackets);
  }

  /** Stores the peaks of a sound. */
  measure(task: EncodeTask): Encoding {
    return this.#request("measure", task, () => {});
  }

  /** Encodes live audio. Throws LISTENERS_EXHAUSTED, SHUTTING_DOWN or DESCRIPTORS_EXHAUSTED. */
  encodeLive(task: LiveTask, events: LiveEncodingEvents): LiveEncoding {
    if (this.#live.size >= maxLiveEncodings) throw new WavecacheError("LISTENERS_EXHAUSTED");
    this.#requireThread();
    return this.#live.open(this.#nextId++, task, events);
  }

  #request(kind: "encode" | "measure", task: EncodeTask, onPackets: PacketSink): Encoding {
    const id = this.#nextId++;
    const { promise: ended, resolve, reject } = Promise.withResolvers<EncodingEnd>();
    try {
      this.#requireThread();
    } catch (error) {
      reject(error);
      return { ended, cancel: () => {} };
    }
    this.#pending.set(id, { onPackets, resolve, reject, requestedAtMs: performance.now() });
    this.#send({ kind, id, ...task });
    this.#restartWatchdog();
    return { ended, cancel: () => this.#pending.has(id) && this.#send({ kind: "cancel", id }) };
  }

  /** Counts losses: each is followed by a restart, once there is a request. */
  get restarts(): number {
    return this.#losses;
  }

  /** Sounds being encoded, or queued. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** Timed from request to end; lost requests are not counted. */
  jobs(): JobFigures[] {
    return [{ job: "encode", count: this.#done.count, seconds: this.#done.ms / 1000 }];
  }

  /** Cancels all requests and ends the thread. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#thread === undefined) return;
    const thread = this.#thread;
    this.#send({ kind: "close" });
    const timer = setTimeout(() => thread.terminate(), maxCloseMs);
    await this.#threadEnded;
    clearTimeout(timer);
  }

  #requireThread(): void {
    if (this.#isClosing) throw new WavecacheError("SHUTTING_DOWN");
    if (this.#thread === undefined && !canStartThread()) throw new WavecacheError("DESCRIPTORS_EXHAUSTED");
    this.#thread ??= this.#start();
  }

  #send(request: EncoderRequest): void {
    this.#thread?.postMessage(request);
  }

  #start(): Worker {
    const settings = { entry: this.#settings.entry, name: "encoder", isReplacement: this.#losses > 0 };
    const { promise: ended, resolve: resolveEnded } = Promise.withResolvers<void>();
    const thread = startWorker(settings, (reason) => {
      if (this.#thread === thread) this.#lose(reason);
      resolveEnded();
    });
    thread.addEventListener("message", (event: MessageEvent<EncoderReply>) => {
      if (this.#thread === thread) this.#receive(event.data);
    });
    this.#threadEnded = ended;
    return thread;
  }

  #sendLive(request: EncoderRequest): void {
    this.#send(request);
    if (this.#watchdog === undefined) this.#restartWatchdog();
  }

  #receive(reply: EncoderReply): void {
    if (reply.kind === "live" || reply.kind === "liveFailed") {
      this.#live.receive(reply);
      this.#restartWatchdog();
      return;
    }
    if (reply.kind === "inspected") {
      this.#inspections.get(reply.id)?.resolve(reply.findings);
      this.#inspections.delete(reply.id);
      this.#restartWatchdog();
      return;
    }
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    if (reply.kind === "packets") {
      pending.onPackets(splitPackets(reply));
    } else if (reply.kind === "ended") {
      this.#pending.delete(reply.id);
      this.#done.count += 1;
      this.#done.ms += performance.now() - pending.requestedAtMs;
      const { end } = reply;
      if (end.kind === "failed") pending.reject(errorOfNumber(end.errorNumber, end.detail || undefined));
      else pending.resolve(end);
    }
    this.#restartWatchdog();
  }

  /** Without the watchdog a decoder that hangs would block all sounds for good. */
  #restartWatchdog(): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = undefined;
    if (this.#pending.size + this.#inspections.size === 0 && !this.#live.isBehind) return;
    this.#watchdog = setTimeout(() => {
      const thread = this.#thread;
      this.#lose("encoder hangs");
      thread?.terminate();
    }, this.#settings.watchdogMs ?? encoderWatchdogMs);
  }

  #lose(reason: string): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = undefined;
    this.#thread = undefined;
    this.#losses += 1;
    const orphans = [...this.#pending.values(), ...this.#inspections.values()];
    this.#pending.clear();
    this.#inspections.clear();
    for (const pending of orphans) pending.reject(new WavecacheError("WORKER_LOST", reason));
    this.#live.lose(new WavecacheError("WORKER_LOST", reason));
    if (!this.#isClosing) this.#settings.onLost(reason);
  }
}
