/** What is stored, what the limits are, and what goes next. */
import { requestJson, withQuery } from "./request.ts";

export interface Policy {
  pattern: string;
  mode: "evict" | "expire" | "refuse";
  maxAgeSeconds: number | null;
  maxBytes: number | null;
  minFreeBytes: number | null;
  keepNewest: number | null;
  keepSeconds: number | null;
  usedBytes: number;
  count: number;
}

export interface Usage {
  streams: { bytes: number; count: number; limitBytes: number };
  recordings: { bytes: number; count: number };
  disks: {
    holds: string[];
    freeBytes: number;
    totalBytes: number;
    growthBytesPerDay: number | null;
    fullAt: string | null;
  }[];
  policies: Policy[];
  lastRunAt: string | null;
  /** Null on a single machine. */
  node: string | null;
}

export type Disk = Usage["disks"][number];

export interface RetentionPlan {
  removals: {
    kind: "streams" | "recordings";
    id: string;
    name: string;
    reason: "max-age" | "max-bytes" | "min-free";
    pattern: string;
    bytes: number;
    madeAt: string;
    usedAt: string;
  }[];
  count: number;
  freedBytes: number;
}

export function loadUsage(signal: AbortSignal): Promise<Usage> {
  return requestJson<Usage>("api/retention", { signal });
}

/** Once an hour, and now. */
export interface UsageHistory {
  samples: { at: string; streamBytes: number; recordingBytes: number }[];
}

export function loadHistory(signal: AbortSignal): Promise<UsageHistory> {
  return requestJson<UsageHistory>("api/retention/history", { signal });
}

const listedRemovals = 1_000;

export function loadPlan(signal: AbortSignal): Promise<RetentionPlan> {
  return requestJson<RetentionPlan>(withQuery("api/retention/plan", { limit: listedRemovals }), { signal });
}
