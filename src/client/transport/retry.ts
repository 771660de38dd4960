/** Retries with exponential backoff and jitter. */
import { ClientError } from "../errors.ts";
import { defaultRetries, firstRetryDelayMs, maxRetryDelayMs } from "../limits.ts";

export interface RetryPolicy {
  /** Failed attempts after the first one. An attempt that makes progress restarts the count. */
  retries: number;
  firstDelayMs: number;
  maxDelayMs: number;
  /** Returns a number from 0 (inclusive) to 1 (exclusive). */
  random: () => number;
}

export const defaultRetryPolicy: RetryPolicy = {
  retries: defaultRetries,
  firstDelayMs: firstRetryDelayMs,
  maxDelayMs: maxRetryDelayMs,
  random: Math.random,
};

/** An attempt has failed and will be repeated. */
export interface RetryNotice {
  error: ClientError;
  /** 1 for the first retry. */
  retry: number;
  /** The policy's maximum. */
  retries: number;
  /** Milliseconds until the retry. */
  delayMs: number;
}

export interface RetryHooks {
  signal: AbortSignal | undefined;
  /** How far the attempts have come, in any unit that only grows. */
  progress: () => number;
  onRetry: (notice: RetryNotice) => void;
}

/**
 * Calls `attempt` until it succeeds, throws an error that is final, or the policy's retries are used up. Throws the
 * last error, or the reason of the signal.
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  hooks: RetryHooks,
  attempt: () => Promise<T>,
): Promise<T> {
  let bestProgress = hooks.progress();
  for (let retry = 1; ; retry++) {
    hooks.signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      hooks.signal?.throwIfAborted();
      if (!(error instanceof ClientError) || !error.again) throw error;
      if (hooks.progress() > bestProgress) retry = 1;
      bestProgress = Math.max(bestProgress, hooks.progress());
      if (retry > policy.retries) throw error;
      const delayMs = retryDelayMs(policy, retry);
      hooks.onRetry({ error, retry, retries: policy.retries, delayMs });
      await pause(delayMs, hooks.signal);
    }
  }
}

/**
 * The delay before retry 1, 2, 3...: it doubles up to the policy's maximum. Up to half of it is random: otherwise many
 * clients that lose a server at once would all reconnect at once.
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
