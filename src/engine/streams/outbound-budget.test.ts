import { describe, expect, test } from "bun:test";
import { OutboundBudget } from "./outbound-budget.ts";

describe("the outbound budget", () => {
  test("wakes waiting reads once half of it is free, except those that were forgotten", () => {
    const budget = new OutboundBudget(100);
    const woken: string[] = [];
    const first = () => void woken.push("first");
    const gone = () => void woken.push("gone");
    expect(budget.take(100, first)).toBe(true);
    expect(budget.take(1, first)).toBe(false);
    expect(budget.take(1, gone)).toBe(false);
    budget.forget(gone);
    budget.release(49);
    expect(woken).toEqual([]);
    budget.release(1);
    expect(woken).toEqual(["first"]);
    expect(budget.usedBytes).toBe(50);
  });

  test("grants a read above the limit when nothing else is unsent", () => {
    const budget = new OutboundBudget(10);
    expect(budget.take(1000, () => {})).toBe(true);
    expect(budget.take(1, () => {})).toBe(false);
  });
});
