/**
 * Has garbage collected that the collector does not think worth it. It lets the heap grow in proportion to its size and
 * counts mapped files into that: with a gigabyte of audio mapped, messages may leave a hundred megabytes of garbage, and
 * with more of it mapped as much more. So the objects alone are looked at here.
 *
 * What it bought: with 128 downloads in pieces of 8 KiB at full speed a quarter of a MiB a stream instead of one, for no
 * processor time that could be told from noise.
 */
import { MiB } from "../base/limits/units.ts";

const checkMs = 100;
/** So much garbage is always allowed. */
const slackBytes = 4 * MiB;

export class GarbageWatch {
  readonly #timer: Timer;
  /** After the last collection. */
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
    // It was collected meanwhile.
    this.#liveBytes = Math.min(this.#liveBytes, bytes);
    if (bytes < 1.5 * this.#liveBytes || bytes < this.#liveBytes + slackBytes) return;
    Bun.gc(true);
    this.#liveBytes = objectBytes();
  }
}

/** The heap of this thread, without what its objects refer to outside of it. */
function objectBytes(): number {
  return process.memoryUsage().heapTotal;
}
