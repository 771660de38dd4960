/** Audio from a stream's file, from an offset to an end that can grow. */
import type { WavecacheError } from "../../../base/errors.ts";
import type { Readable } from "../../../engine/streams/readable-streams.ts";
import type { ReadSink } from "../../../pool/reader.ts";
import type { SendCredit } from "../../../wire/v1/credit.ts";
import type { RangeReader, Streams } from "../dependencies.ts";
import type { AudioSource, SendScheduler } from "../send-scheduler.ts";

export interface FileSourceSettings {
  channel: number;
  credit: SendCredit;
  streamId: string;
  streams: Pick<Streams, "locate">;
  reader: RangeReader;
  scheduler: SendScheduler;
  /** All audio up to the current end is sent. */
  onEnd(): void;
  onFailed(error: unknown): void;
}

export class FileSource implements AudioSource {
  readonly channel: number;
  readonly credit: SendCredit;
  offset = 0;
  readonly #settings: FileSourceSettings;
  #readable: Readable | undefined;
  #end = 0;
  /** The file is gone from its path; a look-up of its new path is in flight. */
  #isRelocating = false;

  constructor(settings: FileSourceSettings) {
    this.#settings = settings;
    this.channel = settings.channel;
    this.credit = settings.credit;
  }

  get availableBytes(): number {
    return this.#isRelocating ? 0 : this.#end - this.offset;
  }

  /** Sends `readable` from `offset` to `end`. Called again when the stream moves to another file. */
  begin(readable: Readable, offset: number, end: number): void {
    this.#readable = readable;
    this.offset = offset;
    this.#end = end;
    this.#wake();
  }

  /** The same file has grown. */
  extend(end: number): void {
    if (end <= this.#end) return;
    this.#end = end;
    this.#wake();
  }

  peek(bytes: number): Uint8Array | undefined {
    return this.#settings.reader.resident(this.#readable!.file, this.offset, bytes);
  }

  fetch(bytes: number, sink: ReadSink): void {
    this.#settings.reader.read(this.#readable!.file, this.offset, bytes, sink);
  }

  advance(bytes: number): void {
    this.offset += bytes;
    if (this.offset === this.#end) this.#settings.onEnd();
  }

  failed(error: WavecacheError): void {
    const readable = this.#readable!;
    if (error.code !== "OBJECT_MISSING" || readable.file.immutable) return this.#settings.onFailed(error);
    this.#isRelocating = true;
    void this.#relocate(readable, error);
  }

  #wake(): void {
    if (this.availableBytes > 0) this.#settings.scheduler.wake(this, true);
  }

  /** An upload that finishes during a read moves its audio, unchanged, to another file. */
  async #relocate(before: Readable, error: WavecacheError): Promise<void> {
    const { streams, streamId, onFailed } = this.#settings;
    try {
      const found = await streams.locate(streamId, 0);
      this.#isRelocating = false;
      // The owner has called `begin` with a new file in the meantime.
      if (this.#readable !== before) return this.#wake();
      if (found.key !== before.key || !found.file.immutable) return onFailed(error);
      this.begin(found, this.offset, this.#end);
    } catch (failure) {
      onFailed(failure);
    }
  }
}
