/**
 * The writer threads. A stream is pinned to one of them, so that its bytes are written in their order by a thread that
 * has its files at hand; which one is decided when it opens.
 */
import type { RecordingSpec } from "../lane/messages/recordings.ts";
import type { PoolThreadSettings, ThreadFigures } from "./lane-thread.ts";
import { type RecordingEvents, RecordingSlot } from "./recording-slot.ts";
import { type UploadEvents, UploadSlot } from "./upload-slot.ts";
import { Writer } from "./writer.ts";

export class Writers {
  readonly #writers: Writer[];

  constructor(settings: PoolThreadSettings) {
    this.#writers = Array.from({ length: settings.count }, (_, index) => new Writer(settings, index));
  }

  /** Opens an upload on the writer that has the fewest streams. `key` names its file in incoming/. */
  open(key: string, resume: boolean, events: UploadEvents): UploadSlot {
    return new UploadSlot(this.#least(), key, resume, events);
  }

  /** Opens a recording on the writer that has the fewest streams. */
  record(order: RecordingSpec, events: RecordingEvents): RecordingSlot {
    return new RecordingSlot(this.#least(), order, events);
  }

  /** Streams that a writer has open, of all writers. */
  get slots(): number {
    return this.#writers.reduce((sum, writer) => sum + writer.slots, 0);
  }

  figures(): ThreadFigures[] {
    return this.#writers.map((writer) => writer.figures());
  }

  async close(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.close()));
  }

  #least(): Writer {
    return this.#writers.reduce((least, other) => (other.load < least.load ? other : least));
  }
}
