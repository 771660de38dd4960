import { expect, test } from "bun:test";
import type { Policy } from "../../api/retention.ts";
import { formatSpan, policyTexts } from "./policy-text.ts";

test.each([
  [2_592_000, "30 days"],
  [86_400, "1 day"],
  [5_400, "90 minutes"],
  [45, "45 seconds"],
])("%d seconds are %p", (seconds, text) => {
  expect(formatSpan(seconds)).toBe(text);
});

test("a policy says what it limits, and nothing of what it does not", () => {
  const none = {
    maxAgeSeconds: null,
    maxBytes: null,
    minFreeBytes: null,
    keepNewest: null,
    keepSeconds: null,
  };
  const policy: Policy = {
    ...none,
    pattern: "recordings/**",
    mode: "expire",
    usedBytes: 1_500_000,
    count: 3,
  };
  expect(policyTexts({ ...policy, maxAgeSeconds: 2_592_000 })).toEqual([
    "for 30 days",
    "the oldest go first",
    "3 now, 1.5 MB",
  ]);
});
