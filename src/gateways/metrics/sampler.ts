/**
 * Samples the event loop delay and the fill of the rings many times a second. Both accumulate from the start, so
 * scrapers with any interval see correct averages.
 */
import { Histogram, type Registry } from "prom-client";
import { type Family, register } from "./families.ts";
import type { LaneRing, Sources } from "./sources.ts";

const sampleMs = 20;

/** In seconds: from half a millisecond, each bucket twice as wide as the one before. */
const delayBuckets = Array.from({ length: 13 }, (_, index) => 0.0005 * 2 ** index);

interface RingUse {
  labels: Record<string, string>;
  byteSeconds: number;
}

export class Sampler {
  readonly #sources: Pick<Sources, "writers" | "readers">;
  readonly #delay: Histogram;
  /** One for each thread and direction. */
  readonly #ringUse = new Map<string, RingUse>();
  readonly #known = new WeakMap<LaneRing, RingUse>();
  readonly #timer: Timer;
  #sampledAt = performance.now();

  constructor(sources: Pick<Sources, "writers" | "readers">, registry: Registry) {
    this.#sources = sources;
    this.#delay = new Histogram({
      name: "wavecache_event_loop_delay_seconds",
      help: `Delay of a timer on the main thread, sampled every ${sampleMs} ms.`,
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
    const seconds = elapsedMs / 1000;
    for (const { thread, rings } of this.#sources.writers.figures()) this.#watch(thread, rings, seconds);
    for (const { thread, rings } of this.#sources.readers.figures()) this.#watch(thread, rings, seconds);
  }

  #watch(thread: string, rings: readonly LaneRing[], seconds: number): void {
    for (const lane of rings) {
      const { usedBytes } = lane.ring;
      if (usedBytes > 0 || !this.#known.has(lane)) this.#use(thread, lane).byteSeconds += usedBytes * seconds;
    }
  }

  /** A restarted thread has new rings; their use adds to that of the old ones. */
  #use(thread: string, lane: LaneRing): RingUse {
    let use = this.#known.get(lane);
    if (use !== undefined) return use;
    const { direction } = lane;
    const key = `${thread} ${direction}`;
    use = this.#ringUse.get(key) ?? { labels: { thread, direction }, byteSeconds: 0 };
    this.#ringUse.set(key, use);
    this.#known.set(lane, use);
    return use;
  }

  #ringFamily(): Family {
    return {
      type: "counter",
      name: "wavecache_ring_byte_seconds_total",
      help: "Bytes in a ring, integrated over time: the rate is the average number of bytes in the ring.",
      labels: ["thread", "direction"],
      values: () => [...this.#ringUse.values()].map(({ labels, byteSeconds }) => [labels, byteSeconds]),
    };
  }
}
