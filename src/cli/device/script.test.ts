import { expect, test } from "bun:test";
import { Random } from "../../testing/harness/bytes.ts";
import { parseScript, randomSteps } from "./script.ts";

test("a script has buttons, holds and waits, separated by commas", () => {
  expect(parseScript("mode, play,wait,wait:1.5,hold-stop,connect,wait-end,stop")).toEqual([
    { kind: "press", button: "mode" },
    { kind: "press", button: "play" },
    { kind: "wait", ms: 1_000 },
    { kind: "wait", ms: 1_500 },
    { kind: "hold", button: "stop" },
    { kind: "press", button: "connect" },
    { kind: "wait-end" },
    { kind: "press", button: "stop" },
  ]);
});

test("a script that ends with Play waits for the sound", () => {
  expect(parseScript("mode,play").at(-1)).toEqual({ kind: "wait-end" });
  expect(parseScript("play,wait:0.5").at(-1)).toEqual({ kind: "wait", ms: 500 });
});

test.each([
  "",
  "mode,",
  "Mode",
  "hold-",
  "hold-wait",
  "wait:",
  "wait:-1",
  "wait:3601",
  "wait:1e3",
  "toString",
])("%j is not a script", (text) => {
  expect(() => parseScript(text)).toThrow("--press has no step");
});

test("a script has up to 1000 steps", () => {
  expect(parseScript(Array(1_000).fill("mode").join())).toHaveLength(1_000);
  expect(() => parseScript(Array(1_001).fill("mode").join())).toThrow("more than 1000 steps");
});

test("random steps press mode, play and stop, and wait for the given time in total", () => {
  const random = new Random(7);
  const steps = randomSteps(60, () => random.u32() / 2 ** 32);
  const waits = steps.flatMap((step) => (step.kind === "wait" ? [step.ms] : []));
  expect(waits.reduce((sum, ms) => sum + ms, 0)).toBe(60_000);
  const pressed = new Set(steps.flatMap((step) => (step.kind === "press" ? [step.button] : [])));
  expect(pressed).toEqual(new Set(["mode", "play", "stop"] as const));
});
