/**
 * The writer threads. A stream is pinned to one of them when it opens: that thread has its files open and writes its bytes
 * in order.
 */
import type { RecordingSpec } from "../lane/messages/recordings.ts";
import { type RecordingEvents, RecordingSlot } from "./recording-slot.ts";
import { type UploadEvents, UploadSlot } from "./upload-slot.ts";
import type { PoolThreadSettings, ThreadFigures } from "./supervised-thread.ts";
import { Writer } from "./writer.ts";

export class Writers {
  readonly #writers: Writer[];

  constructor(settings: PoolThreadSettings) {
    this.#writers = Array.from({ length: settings.count }, (_, index) => new Writer(settings, index));
  }

  /** Opens an upload on the writer with the fewest slots in use. `key` names its file in incoming/. */
  open(key: string, resume: boolean, events: UploadEvents): UploadSlot {
    return new UploadSlot(this.#idlest(), key, resume, events);
  }

  /** Opens a recording on the writer with the fewest slots in use. */
  record(spec: RecordingSpec, events: RecordingEvents): RecordingSlot {
    return new RecordingSlot(this.#idlest(), spec, events);
  }

  /** Slots in use on all writers. */
  get slots(): number {
    return this.#writers.reduce((sum, writer) => sum + writer.slots, 0);
  }

  figures(): ThreadFigures[] {
    return this.#writers.map((writer) => writer.figures());
  }

  async close(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.close()));
  }

  #idlest(): Writer {
    return this.#writers.reduce((idlest, other) => (other.load < idlest.load ? other : idlest));
  }
}
