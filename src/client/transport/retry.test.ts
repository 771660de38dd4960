import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { failureOf } from "../../testing/fixtures/client.ts";
import { ClientError } from "../errors.ts";
import { defaultRetryPolicy, pause, retryDelayMs, withRetries, type RetryHooks } from "./retry.ts";

const policy = { ...defaultRetryPolicy, firstDelayMs: 1, maxDelayMs: 2 };
const hooks: RetryHooks = { signal: undefined, progress: () => 0, onRetry: () => undefined };

describe("retrying", () => {
  test("stops with the first success", async () => {
    let calls = 0;
    const result = await withRetries(policy, hooks, async () => {
      calls++;
      if (calls < 3) throw new ClientError("CONNECTION_LOST");
      return calls;
    });
    expect(result).toBe(3);
  });

  test("stops at once at a final error", async () => {
    let calls = 0;
    const attempt = async () => {
      calls++;
      throw new ClientError("REFUSED");
    };
    expect((await failureOf(withRetries(policy, hooks, attempt))).code).toBe("REFUSED");
    expect(calls).toBe(1);
  });

  test("ends after the policy's retries, unless an attempt makes progress", async () => {
    let calls = 0;
    const attempt = async () => {
      calls++;
      throw new ClientError("CONNECTION_LOST");
    };
    await failureOf(withRetries(policy, hooks, attempt));
    expect(calls).toBe(11);
    calls = 0;
    const progress = () => Math.min(calls, 5);
    await failureOf(withRetries(policy, { ...hooks, progress }, attempt));
    expect(calls).toBe(15);
  });

  test("doubles the delay up to a maximum, and randomizes its upper half", () => {
    const fixed = { ...policy, firstDelayMs: 100, maxDelayMs: 1_000, random: () => 1 };
    expect([1, 2, 3, 4, 5, 10].map((retry) => retryDelayMs(fixed, retry))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (retry, random) => {
          const delayMs = retryDelayMs({ ...fixed, random: () => random }, retry);
          return delayMs >= 50 && delayMs <= 1_000;
        },
      ),
    );
  });
});

test("a pause ends as soon as the signal aborts, with its reason", async () => {
  const controller = new AbortController();
  const paused = pause(60_000, controller.signal);
  controller.abort(new Error("enough"));
  expect(paused).rejects.toThrow("enough");
  await paused.catch(() => undefined);
  const late = pause(1, controller.signal);
  expect(late).rejects.toThrow("enough");
  await late.catch(() => undefined);
});
