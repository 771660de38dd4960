/**
 * The thread that encodes sounds, seen from the main thread. It is started when the first sound is wanted, and anew when
 * one is wanted after it died; what it was at work on then fails.
 */
import { errorOfNumber, WavecacheError } from "../base/errors.ts";
import { encoderSilenceMs } from "../base/limits/sounds.ts";
import type { JobFigures } from "../lane/thread-stats.ts";
import type { EncodeEnd, EncoderReply, EncoderRequest, EncodeTask } from "../store/sounds/encoder-calls.ts";
import { startWorker } from "./respawn.ts";

export interface EncodersSettings {
  entry: URL;
  /** It died by itself, or was ended because it hung. */
  onLost: (reason: string) => void;
  silenceMs?: number;
}

/** A sound that is being encoded. */
export interface Encoding {
  /**
   * Resolves when nothing more comes, and the source may be closed. Rejects with SOUND_UNREADABLE, SOUND_TOO_LONG,
   * SONG_CHANGED, WORKER_LOST or an error of the system.
   */
  readonly ended: Promise<EncodingEnd>;
  cancel(): void;
}

export type EncodingEnd = Exclude<EncodeEnd, { kind: "failed" }>;

/** Packets in their order; they share memory, and are nobody else's. */
type PacketSink = (packets: Uint8Array[]) => void;

interface Waiter {
  onPackets: PacketSink;
  resolve(end: EncodingEnd): void;
  reject(error: WavecacheError): void;
  /** Of the monotonic clock, in ms. */
  askedAt: number;
}

/** A thread that was told to end and does not is left behind after this. */
const closeLimitMs = 2_000;

export class Encoders {
  readonly #settings: EncodersSettings;
  readonly #waiting = new Map<number, Waiter>();
  #thread: Worker | undefined;
  #threadEnded: Promise<void> = Promise.resolve();
  /** How often it died, or was ended because it hung. */
  #losses = 0;
  readonly #done = { count: 0, ms: 0 };
  #isClosing = false;
  #nextId = 1;
  #silence: Timer | undefined;

  constructor(settings: EncodersSettings) {
    this.#settings = settings;
  }

  encode(task: EncodeTask, onPackets: PacketSink): Encoding {
    const id = this.#nextId++;
    const { promise: ended, resolve, reject } = Promise.withResolvers<EncodingEnd>();
    if (this.#isClosing) {
      reject(new WavecacheError("SHUTTING_DOWN"));
      return { ended, cancel: () => {} };
    }
    this.#waiting.set(id, { onPackets, resolve, reject, askedAt: performance.now() });
    this.#thread ??= this.#start();
    this.#send({ kind: "encode", id, ...task });
    this.#watchSilence();
    return { ended, cancel: () => this.#waiting.has(id) && this.#send({ kind: "cancel", id }) };
  }

  /** It is started again when it is wanted again. */
  get restarts(): number {
    return this.#losses;
  }

  /** Sounds that are being encoded or wait for it. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Timed from the request to its end; lost ones do not count. */
  jobs(): JobFigures[] {
    return [{ job: "encode", count: this.#done.count, seconds: this.#done.ms / 1000 }];
  }

  /** Cancels what is under way and ends the thread. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#thread === undefined) return;
    const thread = this.#thread;
    this.#send({ kind: "close" });
    const timer = setTimeout(() => thread.terminate(), closeLimitMs);
    await this.#threadEnded;
    clearTimeout(timer);
  }

  #send(request: EncoderRequest): void {
    this.#thread?.postMessage(request);
  }

  #start(): Worker {
    const thread = startWorker(this.#settings.entry, "encoder", this.#losses > 0);
    let reason = "encoder ended";
    thread.addEventListener("message", (event: MessageEvent<EncoderReply>) => {
      if (this.#thread === thread) this.#take(event.data);
    });
    thread.addEventListener("error", (event) => {
      event.preventDefault();
      reason = `encoder threw: ${event.message}`;
    });
    this.#threadEnded = new Promise((resolve) => {
      thread.addEventListener("close", () => {
        if (this.#thread === thread) this.#lose(reason);
        resolve();
      });
    });
    return thread;
  }

  #take(reply: EncoderReply): void {
    const waiter = this.#waiting.get(reply.id);
    if (waiter === undefined) return;
    if (reply.kind === "packets") {
      waiter.onPackets(split(reply.bytes, reply.lengths));
    } else {
      this.#waiting.delete(reply.id);
      this.#done.count += 1;
      this.#done.ms += performance.now() - waiter.askedAt;
      const { end } = reply;
      if (end.kind === "failed") waiter.reject(errorOfNumber(end.errorNumber, end.detail || undefined));
      else waiter.resolve(end);
    }
    this.#watchSilence();
  }

  /** A decoder that never comes back must not keep all sounds waiting for good. */
  #watchSilence(): void {
    clearTimeout(this.#silence);
    if (this.#waiting.size === 0) return;
    this.#silence = setTimeout(() => {
      const thread = this.#thread;
      this.#lose("encoder hangs");
      thread?.terminate();
    }, this.#settings.silenceMs ?? encoderSilenceMs);
  }

  #lose(reason: string): void {
    clearTimeout(this.#silence);
    this.#thread = undefined;
    this.#losses += 1;
    const orphans = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiter of orphans) waiter.reject(new WavecacheError("WORKER_LOST", reason));
    if (!this.#isClosing) this.#settings.onLost(reason);
  }
}

function split(bytes: Uint8Array, lengths: Uint16Array): Uint8Array[] {
  let at = 0;
  return Array.from(lengths, (length) => bytes.subarray(at, (at += length)));
}
