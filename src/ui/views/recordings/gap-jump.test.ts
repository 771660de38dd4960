import { expect, test } from "bun:test";
import { jumpOver } from "./gap-jump.ts";

const gaps = [
  { fromMs: 1_000, toMs: 3_000 },
  { fromMs: 10_000, toMs: 3_610_000 },
];

test.each([
  ["before any gap", 500, undefined],
  ["in a short gap", 1_500, undefined],
  ["at the beginning of a long gap, which is heard", 10_400, undefined],
  ["in a long gap", 10_500, 3_609_500],
  ["in the middle of a long gap", 2_000_000, 3_609_500],
  ["at the end of a long gap, where a jump has led", 3_609_500, undefined],
  ["behind all gaps", 3_610_000, undefined],
])("a player %s: %p goes on at %p", (_, atMs, target) => {
  expect(jumpOver(gaps, atMs)).toBe(target as never);
});
