/** Trying again: exponential backoff with jitter. */
import { ClientError } from "../errors.ts";
import { defaultRetries, firstRetryDelayMs, maxRetryDelayMs } from "../limits.ts";

export interface RetryPolicy {
  /** Attempts after the first one; an attempt that got further than all before starts the count again. */
  retries: number;
  firstDelayMs: number;
  maxDelayMs: number;
  /** A number from 0 (inclusive) to 1 (exclusive). */
  random: () => number;
}

export const defaultRetryPolicy: RetryPolicy = {
  retries: defaultRetries,
  firstDelayMs: firstRetryDelayMs,
  maxDelayMs: maxRetryDelayMs,
  random: Math.random,
};

/** An attempt has failed and another one follows. */
export interface RetryNotice {
  error: ClientError;
  /** 1 for the first attempt after a failure. */
  retry: number;
  retries: number;
  delayMs: number;
}

export interface RetryHooks {
  signal: AbortSignal | undefined;
  /** How far the attempts have got, in any unit that only grows. */
  progress: () => number;
  onRetry: (notice: RetryNotice) => void;
}

/**
 * Calls `attempt` until it succeeds, fails for good, or the policy's retries are used up. Throws the error of the
 * last attempt, or the reason of the signal.
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  hooks: RetryHooks,
  attempt: () => Promise<T>,
): Promise<T> {
  let reached = hooks.progress();
  for (let retry = 1; ; retry++) {
    hooks.signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      hooks.signal?.throwIfAborted();
      if (!(error instanceof ClientError) || !error.again) throw error;
      if (hooks.progress() > reached) retry = 1;
      reached = Math.max(reached, hooks.progress());
      if (retry > policy.retries) throw error;
      const delayMs = retryDelayMs(policy, retry);
      hooks.onRetry({ error, retry, retries: policy.retries, delayMs });
      await pause(delayMs, hooks.signal);
    }
  }
}

/**
 * The delay before retry 1, 2, 3...: doubling up to the policy's maximum, of which the upper half is random, so that
 * many clients cut off at once do not come back at once.
 */
export function retryDelayMs(policy: RetryPolicy, retry: number): number {
  const fullMs = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (retry - 1));
  return fullMs * (0.5 + 0.5 * policy.random());
}

/** Resolves after `ms`; throws the reason of the signal as soon as it aborts. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
