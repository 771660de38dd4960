/**
 * The bytes of one recording that the catalog does not have: those of its open segment, and of complete segments that wait
 * for their sync. The open one is estimated from what was received: silence for lost frames counts once it is complete.
 */
import type { RecordingEntry } from "../../base/recording-entry.ts";
import { codecPcm16, frameHeaderBytes, type Handshake } from "../../wire/ingest.ts";

/** IMA ADPCM has 4 bits a sample, and a `.wav` 16. */
const adpcmExpansion = 4;

export class UnenteredBytes {
  /** It is no stream. */
  readonly streamId = undefined;
  readonly #expansion: number;
  readonly #over = Promise.withResolvers<void>();
  readonly #waiting = new Map<string, number>();
  #openBytes = 0;
  #waitingBytes = 0;
  #hasEnded = false;

  constructor({ codec }: Pick<Handshake, "codec">) {
    this.#expansion = codec === codecPcm16 ? 1 : adpcmExpansion;
  }

  get receivedBytes(): number {
    return this.#openBytes + this.#waitingBytes;
  }

  /** Resolves once the recording has ended and the catalog has all of it. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** What a frame message takes in both files. */
  sizeOf(messageBytes: number): number {
    return messageBytes + Math.max(0, messageBytes - frameHeaderBytes) * this.#expansion;
  }

  receive(messageBytes: number): void {
    this.#openBytes += this.sizeOf(messageBytes);
  }

  /** A segment is complete, and waits for its sync. */
  complete({ name, bin, wav }: Pick<RecordingEntry, "name" | "bin" | "wav">): void {
    const bytes = bin.bytes + wav.bytes;
    this.#openBytes = Math.max(0, this.#openBytes - bytes);
    this.#waitingBytes += bytes;
    this.#waiting.set(name, bytes);
  }

  /** Of a segment that waits. */
  bytesOf(name: string): number {
    return this.#waiting.get(name) ?? 0;
  }

  /** A segment waits no longer. */
  enter(name: string): void {
    this.#waitingBytes -= this.bytesOf(name);
    this.#waiting.delete(name);
    this.#settle();
  }

  /** Nothing more is received. */
  end(): void {
    this.#openBytes = 0;
    this.#hasEnded = true;
    this.#settle();
  }

  #settle(): void {
    if (this.#hasEnded && this.#waiting.size === 0) this.#over.resolve();
  }
}
