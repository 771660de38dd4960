/** The inner state of a server between two scrapes of its metrics. */
import type { Exposition } from "../../src/client/http/exposition.ts";

export interface Inside {
  /** 99th percentile of the event loop's delay, in ms. */
  loopDelayP99Ms: number;
  /** Busy share of the busiest thread of its kind; 0 to 1. */
  busiestWriter: number;
  busiestReader: number;
  /** The ring with the highest average fill, such as "writer 1 in", and its fill as a share. */
  fullestRing: { ring: string; share: number };
}

/** A scrape, and the time of its answer in ms by this process's clock. */
export interface Scraped {
  at: number;
  metrics: Exposition | undefined;
}

const loopDelay = "wavecache_event_loop_delay_seconds_bucket";

/** Undefined for servers without these metrics. */
export function insideBetween(before: Scraped, after: Scraped): Inside | undefined {
  if (before.metrics === undefined || after.metrics === undefined) return undefined;
  const seconds = (after.at - before.at) / 1000;
  const grown = (name: string, label: string) => growth(before.metrics!, after.metrics!, name, label);
  const delays = grown(loopDelay, "le");
  const busy = grown("wavecache_job_seconds_total", "thread");
  if (delays.size === 0 || busy.size === 0) return undefined;
  return {
    loopDelayP99Ms: quantile(delays, 0.99) * 1000,
    busiestWriter: busiest(busy, "writer") / seconds,
    busiestReader: busiest(busy, "reader") / seconds,
    fullestRing: fullestRing(before.metrics, after.metrics, seconds),
  };
}

/** The growth of a counter, by the value of a label. */
function growth(before: Exposition, after: Exposition, name: string, label: string): Map<string, number> {
  const old = before.by(name, label);
  return new Map([...after.by(name, label)].map(([key, value]) => [key, value - (old.get(key) ?? 0)]));
}

function busiest(busy: Map<string, number>, kind: string): number {
  const ofKind = [...busy].filter(([thread]) => thread.startsWith(kind));
  return Math.max(0, ...ofKind.map(([, seconds]) => seconds));
}

function fullestRing(before: Exposition, after: Exposition, seconds: number): Inside["fullestRing"] {
  let fullest = { ring: "none", share: 0 };
  for (const { name, labels, value } of after.samples) {
    if (name !== "wavecache_ring_byte_seconds_total") continue;
    const used = (value - (before.sum(name, labels) ?? 0)) / seconds;
    const share = used / (after.sum("wavecache_ring_size_bytes", labels) ?? Infinity);
    if (share > fullest.share) fullest = { ring: `${labels["thread"]} ${labels["direction"]}`, share };
  }
  return fullest;
}

/**
 * The quantile `part` of a histogram of cumulative counts by upper bounds, interpolated linearly within a bucket. Above
 * the last finite bound it is that bound; without observations it is 0.
 */
export function quantile(cumulative: Map<string, number>, part: number): number {
  const buckets = [...cumulative].map(([le, count]) => ({
    le: le === "+Inf" ? Infinity : Number(le),
    count,
  }));
  buckets.sort((a, b) => a.le - b.le);
  const wanted = part * (buckets.at(-1)?.count ?? 0);
  let below = { le: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= wanted && bucket.count > below.count) {
      if (bucket.le === Infinity) return below.le;
      return below.le + ((wanted - below.count) / (bucket.count - below.count)) * (bucket.le - below.le);
    }
    below = bucket;
  }
  return 0;
}
