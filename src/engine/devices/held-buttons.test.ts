import { expect, test } from "bun:test";
import { until } from "../../testing/harness/until.ts";
import { HeldButtons } from "./held-buttons.ts";

test("a button is held until it is released, and only once", () => {
  const held = new HeldButtons(() => undefined);
  expect(held.hold("stop")).toBe(true);
  expect(held.hold("stop")).toBe(false);
  expect(held.hold("connect")).toBe(true);
  expect(held.states).toEqual([true, false, true, false]);
  expect(held.release("stop")).toBe(true);
  expect(held.release("stop")).toBe(false);
  expect(held.states).toEqual([true, false, false, false]);
  held.releaseAll();
  expect(held.states).toEqual([false, false, false, false]);
});

test("a hold that nobody repeats ends by itself, and one that is repeated goes on", async () => {
  const expired: string[] = [];
  const held = new HeldButtons((button) => void expired.push(button), 200);
  held.hold("play");
  held.hold("mode");
  const repeating = setInterval(() => held.hold("mode"), 20);
  await until("the end of the hold", 5_000, () => expired.length > 0);
  expect(expired).toEqual(["play"]);
  expect(held.states).toEqual([false, true, false, false]);
  clearInterval(repeating);
  held.releaseAll();
});
