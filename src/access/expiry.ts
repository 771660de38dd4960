/** Ends what may not outlast a time. */

/** A timer takes no more than 2^31 ms, and the system's clock may be set meanwhile: it is compared once an hour. */
const maxTimerMs = 3600 * 1000;

/** Aborts at `atMs`, in milliseconds since 1970, unless it is aborted before. */
export function abortAt(end: AbortController, atMs: number): void {
  if (end.signal.aborted) return;
  const leftMs = atMs - Date.now();
  if (leftMs <= 0) return end.abort();
  setTimeout(() => abortAt(end, atMs), Math.min(leftMs, maxTimerMs)).unref();
}
