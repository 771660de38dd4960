/** The amount, speed and time left of a transfer, as a progress bar shows them. */
import { humanBytes, humanDuration } from "./text.ts";

/** The speed is that of this time, so that it follows a network which becomes faster or slower. */
const windowMs = 5_000;
/** Before this much time it would be a guess. */
const minKnownMs = 500;
const sampleMs = 100;

interface Sample {
  bytes: number;
  ms: number;
}

export class TransferSpeed {
  readonly #totalBytes: number | undefined;
  /** Oldest first, from within the window. The first one of all is where the transfer began, perhaps by a resume. */
  #samples: Sample[] = [];

  constructor(totalBytes: number | undefined) {
    this.#totalBytes = totalBytes;
  }

  /** "1.00 MiB of 3.91 MiB". */
  amount(bytes: number): string {
    return this.#totalBytes === undefined
      ? humanBytes(bytes)
      : `${humanBytes(bytes)} of ${humanBytes(this.#totalBytes)}`;
  }

  /** ", 2.00 MiB/s, 1.455 s left"; empty while it is unknown. `nowMs` is of a monotonic clock. */
  rate(bytes: number, nowMs: number): string {
    // An upload that starts again at byte 0 starts to count again.
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples = [];
    const recent = this.#samples.findLastIndex(({ ms }) => ms <= nowMs - windowMs);
    this.#samples.splice(0, Math.max(0, recent));
    if (nowMs >= (this.#samples.at(-1)?.ms ?? -Infinity) + sampleMs) this.#samples.push({ bytes, ms: nowMs });
    const first = this.#samples[0]!;
    const elapsedMs = nowMs - first.ms;
    if (elapsedMs < minKnownMs || bytes <= first.bytes) return "";
    const bytesPerMs = (bytes - first.bytes) / elapsedMs;
    const leftBytes = (this.#totalBytes ?? 0) - bytes;
    const left = leftBytes > 0 ? `, ${humanDuration(leftBytes / bytesPerMs)} left` : "";
    return `, ${humanBytes(Math.round(bytesPerMs * 1000))}/s${left}`;
  }
}
