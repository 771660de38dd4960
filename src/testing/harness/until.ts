/** Waiting for conditions, always with a limit, instead of sleeping. */

const pollMs = 10;

/**
 * A test that takes this long hangs. Every wait within a test is shorter, so that the test fails on its own and says
 * what it waited for. The runner's limit gives no reason, and kills processes that later tests of the file share.
 */
export const testLimitMs = 60_000;

/**
 * Polls `probe` until it returns something other than undefined or false, and returns that. After `limitMs`, fails with
 * `what` and, if given, the description that `state` returns.
 */
export async function until<T>(
  what: string,
  limitMs: number,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  state: () => string = () => "",
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what} ${state()}`.trim());
    await Bun.sleep(pollMs);
  }
}

/** `promise`, or after `limitMs` an error that begins with `what`; `state` describes the situation. */
export async function within<T>(
  what: string,
  limitMs: number,
  promise: Promise<T>,
  state: () => string = () => "",
): Promise<T> {
  const { promise: expiry, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`not within ${limitMs} ms: ${what} ${state()}`.trim())),
    limitMs,
  );
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
