/**
 * The live audio of the encoding thread: of each recording that somebody hears as Opus. It is encoded in short steps that
 * take turns with the steps of sounds, in the order of its arrival.
 */
import { errorNumber, toWavecacheError } from "../../../src/base/errors.ts";
import { liveStepMs } from "../../../src/base/limits/recordings.ts";
import type { EncoderReply, LiveTask } from "../../../src/store/sounds/encoder-calls.ts";
import { joinPackets } from "../../../src/store/sounds/packets.ts";
import { LiveEncoder } from "./live-encoder.ts";

interface Step {
  pcm: Uint8Array;
  /** 1 for the last step of a push. */
  pushes: 0 | 1;
}

interface Stream {
  id: number;
  encoder: LiveEncoder;
  stepBytes: number;
  queue: Step[];
  isEncoding: boolean;
  isClosed: boolean;
}

export class LiveEncoders {
  readonly #post: (reply: EncoderReply, transfer?: ArrayBuffer[]) => void;
  readonly #streams = new Map<number, Stream>();

  constructor(post: (reply: EncoderReply, transfer?: ArrayBuffer[]) => void) {
    this.#post = post;
  }

  open(id: number, task: LiveTask): void {
    try {
      const encoder = new LiveEncoder(task);
      const stepSamples = Math.max(1, Math.floor((task.sampleRate * liveStepMs) / 1000));
      const stepBytes = stepSamples * 2 * task.channels;
      const stream: Stream = { id, encoder, stepBytes, queue: [], isEncoding: false, isClosed: false };
      this.#streams.set(id, stream);
      for (const pcm of encoder.past()) this.#add(stream, pcm, 0);
    } catch (error) {
      this.#fail(id, error);
    }
  }

  push(id: number, pcm: Uint8Array): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#add(stream, pcm, 1);
  }

  close(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#streams.delete(id);
    stream.isClosed = true;
    stream.queue = [];
    if (!stream.isEncoding) stream.encoder.free();
  }

  closeAll(): void {
    for (const id of this.#streams.keys()) this.close(id);
  }

  #add(stream: Stream, pcm: Uint8Array, pushes: 0 | 1): void {
    for (let at = 0; at < pcm.length; at += stream.stepBytes) {
      const isLast = at + stream.stepBytes >= pcm.length;
      stream.queue.push({ pcm: pcm.subarray(at, at + stream.stepBytes), pushes: isLast ? pushes : 0 });
    }
    if (!stream.isEncoding) void this.#encodeAll(stream);
  }

  async #encodeAll(stream: Stream): Promise<void> {
    stream.isEncoding = true;
    try {
      for (let step = stream.queue.shift(); step !== undefined; step = stream.queue.shift()) {
        this.#encode(stream, step);
        if (stream.queue.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      this.#fail(stream.id, error);
    }
    stream.isEncoding = false;
    if (stream.isClosed) stream.encoder.free();
  }

  #encode({ id, encoder }: Stream, { pcm, pushes }: Step): void {
    const { bytes, lengths } = joinPackets(encoder.encode(pcm));
    this.#post({ kind: "live", id, bytes, lengths, pushes }, [bytes.buffer, lengths.buffer]);
  }

  #fail(id: number, error: unknown): void {
    const { code, detail } = toWavecacheError(error);
    this.#post({ kind: "liveFailed", id, errorNumber: errorNumber(code), detail: detail ?? "" });
    this.close(id);
  }
}
