import type { Policy } from "../../api/retention.ts";
import { formatBytes, formatCount } from "../../parts/format.ts";

const modes = {
  evict: "the least recently read go first",
  expire: "the oldest go first",
  refuse: "what is new is refused",
};

/** What a policy says, in words. */
export function policyTexts(policy: Policy): string[] {
  const { maxAgeSeconds, maxBytes, minFreeBytes, keepNewest, keepSeconds, usedBytes, count, mode } = policy;
  const texts = [
    maxAgeSeconds === null ? "" : `for ${formatSpan(maxAgeSeconds)}`,
    maxBytes === null ? "" : `up to ${formatBytes(maxBytes)}`,
    minFreeBytes === null ? "" : `${formatBytes(minFreeBytes)} of the disk stay free`,
    keepNewest === null ? "" : `the newest ${formatCount(keepNewest)} stay`,
    keepSeconds === null ? "" : `the last ${formatSpan(keepSeconds)} stay`,
    modes[mode],
    `${formatCount(count)} now, ${formatBytes(usedBytes)}`,
  ];
  return texts.filter(Boolean);
}

const units = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** In the largest unit that it is a whole number of: `30 days`. */
export function formatSpan(seconds: number): string {
  const [unit, size] = units.find(([, each]) => seconds >= each && seconds % each === 0) ?? units[3];
  const count = seconds / size;
  return `${formatCount(count)} ${unit}${count === 1 ? "" : "s"}`;
}
