import { expect, test } from "bun:test";
import { defaultMaxCacheBytes } from "../base/limits/streams.ts";
import { GiB } from "../base/limits/units.ts";
import { cacheBytes, retentionPolicies } from "./retention.ts";

const none = { keepStreams: undefined, keepRecordings: undefined, minFree: undefined, policy: [] };

test("nothing is removed without a flag", () => {
  expect(retentionPolicies(none)).toEqual([]);
});

test("streams go for the free space, and recordings only if something limits them", () => {
  const minFreeBytes = 5 * GiB;
  expect(retentionPolicies({ ...none, minFree: minFreeBytes })).toEqual([
    { pattern: "streams/*", mode: "evict", minFreeBytes },
  ]);
  const keepRecordings = { maxAgeMs: 1000 };
  expect(retentionPolicies({ ...none, keepRecordings, minFree: minFreeBytes })[1]).toEqual({
    pattern: "recordings/*",
    mode: "expire",
    maxAgeMs: 1000,
    minFreeBytes,
  });
});

test("the cache takes what is kept, or less if its own limit was given", () => {
  const policies = retentionPolicies({ ...none, keepStreams: { maxBytes: 50 * GiB } });
  expect(cacheBytes(defaultMaxCacheBytes, policies)).toBe(50 * GiB);
  expect(cacheBytes(20 * GiB, policies)).toBe(20 * GiB);
  expect(cacheBytes(100 * GiB, policies)).toBe(50 * GiB);
  expect(cacheBytes(20 * GiB, [])).toBe(20 * GiB);
});
