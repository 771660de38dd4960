/** Waiting for conditions, always with a limit: tests never sleep and hope. */

const pollMs = 10;

/**
 * A test of this long has hung. Every wait within a test is shorter, so that it fails by itself and says what came
 * instead: the runner's own limit says nothing, and ends the processes that later tests of the file share.
 */
export const testLimitMs = 60_000;

/**
 * Asks `probe` again and again until it gives something other than undefined or false, and returns that. Past
 * `limitMs` it fails with `what` and, when given, what `state` says of the situation.
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

/** `promise`, or after `limitMs` an error that begins with `what`; `state` says what came instead. */
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
