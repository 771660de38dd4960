/**
 * What is nothing to count, looked at many times a second: how late the event loop is, and how full the rings are. Both
 * are summed up since the start, so that any number of scrapers sees any span of time.
 */
import { Histogram, type Registry } from "prom-client";
import { type Family, register } from "./families.ts";
import type { Sources } from "./sources.ts";

export const sampleMs = 20;

/** In seconds, each twice the one before, from half a millisecond. */
const delayBuckets = Array.from({ length: 13 }, (_, index) => 0.0005 * 2 ** index);

export class Sampler {
  readonly #sources: Pick<Sources, "writers" | "readers">;
  readonly #delay: Histogram;
  /** Byte-seconds, by thread and direction. */
  readonly #ringUse = new Map<string, { labels: Record<string, string>; byteSeconds: number }>();
  readonly #timer: Timer;
  #sampledAt = performance.now();

  constructor(sources: Pick<Sources, "writers" | "readers">, registry: Registry) {
    this.#sources = sources;
    this.#delay = new Histogram({
      name: "wavecache_event_loop_delay_seconds",
      help: `How late a timer of the main thread is, looked at every ${sampleMs} ms.`,
      buckets: delayBuckets,
      registers: [registry],
    });
    register(registry, this.#ringFamily());
    this.#timer = setInterval(() => this.#sample(), sampleMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const now = performance.now();
    const elapsedMs = now - this.#sampledAt;
    this.#sampledAt = now;
    this.#delay.observe(Math.max(0, elapsedMs - sampleMs) / 1000);
    for (const { thread, rings } of [...this.#sources.writers.figures(), ...this.#sources.readers.figures()])
      for (const { direction, usedBytes } of rings)
        this.#use(thread, direction).byteSeconds += (usedBytes * elapsedMs) / 1000;
  }

  #use(thread: string, direction: string) {
    const key = `${thread} ${direction}`;
    const known = this.#ringUse.get(key);
    if (known !== undefined) return known;
    const fresh = { labels: { thread, direction }, byteSeconds: 0 };
    this.#ringUse.set(key, fresh);
    return fresh;
  }

  #ringFamily(): Family {
    return {
      type: "counter",
      name: "wavecache_ring_byte_seconds_total",
      help: "Bytes in a ring, times how long they were there: its rate is how many bytes there are on average.",
      labels: ["thread", "direction"],
      values: () => [...this.#ringUse.values()].map(({ labels, byteSeconds }) => [labels, byteSeconds]),
    };
  }
}
