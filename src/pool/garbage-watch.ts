/**
 * Runs the garbage collector earlier than it would run by itself. The collector lets the heap grow in proportion to its
 * size, and counts buffers as heap: with large ones, a hundred megabytes of garbage may pile up. This watch looks at the
 * objects alone.
 *
 * Measured gain (128 downloads in pieces of 8 KiB at full speed): 0.25 MiB a stream instead of 1 MiB, with no measurable
 * cost in processor time.
 */
import { MiB } from "../base/limits/units.ts";

const checkMs = 100;
/** Less garbage than this is never collected. */
const slackBytes = 4 * MiB;

export class GarbageWatch {
  readonly #timer: Timer;
  /** Size of the objects after the last collection. */
  #liveBytes = objectBytes();

  constructor() {
    this.#timer = setInterval(() => this.#check(), checkMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const bytes = objectBytes();
    if (bytes === 0) return;
    // The collector may have run by itself meanwhile.
    this.#liveBytes = Math.min(this.#liveBytes, bytes);
    if (bytes < 1.5 * this.#liveBytes || bytes < this.#liveBytes + slackBytes) return;
    Bun.gc(true);
    this.#liveBytes = objectBytes() || this.#liveBytes;
  }
}

/** The heap of this thread without the external memory that its objects refer to; 0 while no descriptor is free. */
function objectBytes(): number {
  try {
    return process.memoryUsage().heapTotal;
  } catch (error) {
    // Bun reads a file for the figures beside the heap.
    if (error instanceof Error) return 0;
    throw error;
  }
}
