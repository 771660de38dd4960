/** What went on inside a server between two scrapes of its metrics. */
import type { Exposition } from "../../src/testing/harness/http/exposition.ts";

export interface Inside {
  /** How late the event loop was in 99 of 100 looks at it, in ms. */
  loopDelayP99Ms: number;
  /** The share of the time that the thread of its kind worked which worked most; 0 to 1. */
  busiestWriter: number;
  busiestReader: number;
  /** The ring that was fullest on average, such as "writer 1 in", and which share of it was. */
  fullestRing: { ring: string; share: number };
}

/** A scrape, and when it was answered in ms of this process's clock. */
export interface Scraped {
  at: number;
  metrics: Exposition | undefined;
}

const loopDelay = "wavecache_event_loop_delay_seconds_bucket";

/** Undefined for servers that do not have these metrics. */
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

/** By how much each value of a label has grown. */
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
 * The value below which `part` of the observations lie, for cumulative counts by their upper bounds; between two bounds
 * as if they were evenly spread there. Past the last bound that is a number, that bound; 0 if there are none.
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
