/**
 * The sounds of the encoding thread. Several are encoded at once, one short step of each in turn: no sound waits for a
 * longer one, or for one whose file is damaged, and a cancelled one ends soon.
 */
import { errorNumber, toWavecacheError, WavecacheError } from "../../../src/base/errors.ts";
import { failpoint } from "../../../src/base/failpoint.ts";
import { encoderReportMs, maxEncodings } from "../../../src/base/limits/sounds.ts";
import type { EncodeEnd, EncoderReply, EncoderRequest } from "../../../src/store/sounds/encoder-calls.ts";
import { CancelledError, EncodingPace } from "./encoding-pace.ts";
import { OptionalSoundWriter } from "./optional-sound-writer.ts";
import { joinPackets } from "../../../src/store/sounds/packets.ts";
import { packetsOf } from "./sound-packets.ts";
import { storePeaks } from "./sound-peaks.ts";
import { SoundSourceFile } from "./sound-source-file.ts";

type EncodeRequest = Extract<EncoderRequest, { kind: "encode" | "measure" }>;

export class EncodeJobs {
  readonly #post: (reply: EncoderReply, transfer?: ArrayBuffer[]) => void;
  readonly #queue: EncodeRequest[] = [];
  readonly #running = new Set<number>();
  /** Running requests that end after their current step. */
  readonly #cancelled = new Set<number>();
  /** When the last message was sent, by the monotonic clock. */
  #reportedAtMs = performance.now();

  constructor(post: (reply: EncoderReply, transfer?: ArrayBuffer[]) => void) {
    this.#post = post;
  }

  encode(request: EncodeRequest): void {
    this.#queue.push(request);
    this.#startNext();
  }

  cancel(id: number): void {
    const at = this.#queue.findIndex((request) => request.id === id);
    if (at >= 0) {
      this.#queue.splice(at, 1);
      this.#end(id, { kind: "cancelled" });
    } else if (this.#running.has(id)) {
      this.#cancelled.add(id);
    }
  }

  /** Cancels all requests. */
  close(): void {
    for (const { id } of this.#queue.splice(0)) this.#end(id, { kind: "cancelled" });
    for (const id of this.#running) this.#cancelled.add(id);
  }

  #startNext(): void {
    while (this.#running.size < maxEncodings) {
      const request = this.#queue.shift();
      if (request === undefined) return;
      this.#running.add(request.id);
      void this.#run(request);
    }
  }

  async #run(request: EncodeRequest): Promise<void> {
    let result: EncodeEnd;
    try {
      result = await this.#process(request);
    } catch (error) {
      result = error instanceof CancelledError ? { kind: "cancelled" } : failureOf(error);
    }
    this.#running.delete(request.id);
    this.#cancelled.delete(request.id);
    this.#end(request.id, result);
    this.#startNext();
  }

  async #process({ kind, id, descriptor, size, storePath }: EncodeRequest): Promise<EncodeEnd> {
    const source = new SoundSourceFile(descriptor, size);
    const pace = new EncodingPace(
      () => this.#cancelled.has(id),
      () => this.#reportWork(id),
    );
    if (kind === "encode") return await this.#encode(id, source, storePath, pace);
    await storePeaks(source, storePath, pace);
    return { kind: "complete", storeProblem: undefined };
  }

  async #encode(
    id: number,
    source: SoundSourceFile,
    storePath: string,
    pace: EncodingPace,
  ): Promise<EncodeEnd> {
    const writer = new OptionalSoundWriter(storePath, id);
    try {
      for await (const packets of packetsOf(source, pace)) {
        failpoint("sound.encode");
        writer.append(packets);
        this.#sendPackets(id, packets);
        await pace.step();
      }
      writer.finish(source.isUnchanged);
      return { kind: "complete", storeProblem: writer.problem };
    } finally {
      writer.discard();
    }
  }

  /** Tells the main thread, which replaces a thread that hangs, that this one does not. */
  #reportWork(id: number): void {
    if (performance.now() - this.#reportedAtMs > encoderReportMs) this.#send({ kind: "working", id });
  }

  #sendPackets(id: number, packets: Uint8Array[]): void {
    const { bytes, lengths } = joinPackets(packets);
    this.#send({ kind: "packets", id, bytes, lengths }, [bytes.buffer, lengths.buffer]);
  }

  #end(id: number, result: EncodeEnd): void {
    this.#send({ kind: "ended", id, end: result });
  }

  #send(reply: EncoderReply, transfer?: ArrayBuffer[]): void {
    this.#reportedAtMs = performance.now();
    this.#post(reply, transfer);
  }
}

function failureOf(error: unknown): EncodeEnd {
  const { code, detail } = toSoundError(error);
  return { kind: "failed", errorNumber: errorNumber(code), detail: detail ?? "" };
}

/** An error with a system code is about the system; all others of decoders and parsers are about the sound. */
function toSoundError(error: unknown): WavecacheError {
  if (error instanceof WavecacheError) return error;
  if (error instanceof Error && !("code" in error)) {
    return new WavecacheError("SOUND_UNREADABLE", error.message);
  }
  return toWavecacheError(error);
}
