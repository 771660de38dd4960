/** Audio of a stream's file, from an offset up to an end that may move on. */
import type { WavecacheError } from "../../../base/errors.ts";
import type { Readable } from "../../../engine/streams/streams.ts";
import type { ReadSink } from "../../../pool/readers.ts";
import type { SendCredit } from "../../../wire/v1/credit.ts";
import type { RangeReader, Streams } from "../core.ts";
import type { SendScheduler, Source } from "../send-scheduler.ts";

export interface FileSourceSettings {
  channel: number;
  credit: SendCredit;
  streamId: string;
  streams: Pick<Streams, "locate">;
  reader: RangeReader;
  scheduler: SendScheduler;
  /** All audio up to the end is sent. */
  onEnd(): void;
  onFailed(error: unknown): void;
}

export class FileSource implements Source {
  readonly channel: number;
  readonly credit: SendCredit;
  offset = 0;
  readonly #settings: FileSourceSettings;
  #readable: Readable | undefined;
  #end = 0;
  /** Where the file is now is asked for. */
  #isLost = false;

  constructor(settings: FileSourceSettings) {
    this.#settings = settings;
    this.channel = settings.channel;
    this.credit = settings.credit;
  }

  get availableBytes(): number {
    return this.#isLost ? 0 : this.#end - this.offset;
  }

  /** Sends `readable` from `offset` to `end`, or goes on with it where it has got another file. */
  begin(readable: Readable, offset: number, end: number): void {
    this.#readable = readable;
    this.offset = offset;
    this.#end = end;
    this.#wake();
  }

  /** There is more of the same file. */
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
    this.#isLost = true;
    void this.#findAgain(readable, error);
  }

  #wake(): void {
    if (this.availableBytes > 0) this.#settings.scheduler.wake(this, true);
  }

  /** The upload may have been finished while it was read: its audio is the same, in another file. */
  async #findAgain(before: Readable, error: WavecacheError): Promise<void> {
    const { streams, streamId, onFailed } = this.#settings;
    try {
      const found = await streams.locate(streamId, 0);
      this.#isLost = false;
      // Whoever owns this has found out by itself.
      if (this.#readable !== before) return this.#wake();
      if (found.key !== before.key || !found.file.immutable) return onFailed(error);
      this.begin(found, this.offset, this.#end);
    } catch (failure) {
      onFailed(failure);
    }
  }
}
