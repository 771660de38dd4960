/** Retention as the flags of the usual case and further policies state it. */
import { defaultMaxCacheBytes } from "../base/limits/streams.ts";
import type { PolicySettings } from "../engine/retention/policy.ts";
import type { Config } from "./schema.ts";

type Flags = Pick<Config, "keepStreams" | "keepRecordings" | "minFree" | "policy">;

/**
 * Streams are a cache: what was read least recently goes first, also to keep the disk free. Of recordings the oldest go,
 * and nothing without `--keep-recordings`.
 */
export function retentionPolicies({ keepStreams, keepRecordings, minFree, policy }: Flags): PolicySettings[] {
  const policies: PolicySettings[] = [...policy];
  if (keepStreams !== undefined || minFree !== undefined)
    policies.push({ pattern: "streams/*", mode: "evict", ...keepStreams, minFreeBytes: minFree });
  if (keepRecordings !== undefined)
    policies.push({ pattern: "recordings/*", mode: "expire", ...keepRecordings, minFreeBytes: minFree });
  return policies;
}

/** The limit of the cache: what a policy of all streams keeps, or less if `--max-cache-bytes` was given. */
export function cacheBytes(maxCacheBytes: number, policies: readonly PolicySettings[]): number {
  const kept = policies.find(({ pattern, mode }) => pattern === "streams/*" && mode !== "refuse")?.maxBytes;
  if (kept === undefined) return maxCacheBytes;
  return maxCacheBytes === defaultMaxCacheBytes ? kept : Math.min(kept, maxCacheBytes);
}
