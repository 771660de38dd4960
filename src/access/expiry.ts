/** Ends what may not outlast a time. */
import { sharedNow } from "../base/system/shared-clock.ts";

/** A timer takes no more than 2^31 ms, and the system's clock may be set meanwhile: it is compared once an hour. */
const maxTimerMs = 3600 * 1000;

/** Calls `act` at `atMs`, in milliseconds since 1970. Results in a function that prevents it. */
export function callAt(atMs: number, act: () => void): () => void {
  let timer: Timer;
  const wait = (): void => {
    const leftMs = Math.max(0, atMs - sharedNow());
    timer = setTimeout(leftMs > maxTimerMs ? wait : act, Math.min(leftMs, maxTimerMs)).unref();
  };
  wait();
  return () => clearTimeout(timer);
}

/** Aborts at `atMs`, in milliseconds since 1970, unless it is aborted before. */
export function abortAt(end: AbortController, atMs: number): void {
  if (end.signal.aborted) return;
  const leftMs = atMs - sharedNow();
  if (leftMs <= 0) return end.abort();
  setTimeout(() => abortAt(end, atMs), Math.min(leftMs, maxTimerMs)).unref();
}
