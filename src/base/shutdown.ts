/** The end of a process by a signal. */
import type { Log } from "./log.ts";

/** On SIGINT or SIGTERM, closes and exits: with 0 once `close` is done, with 1 if that takes longer than `graceMs`. */
export function closeOnSignal(close: () => Promise<void>, graceMs: number, log: Log): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void shutDown(signal, close, graceMs, log));
  }
}

async function shutDown(
  signal: string,
  close: () => Promise<void>,
  graceMs: number,
  log: Log,
): Promise<void> {
  log.info("shutting down", { signal });
  const timer = setTimeout(() => {
    log.error("the shutdown took too long; unfinished uploads stay resumable");
    process.exit(1);
  }, graceMs);
  await close();
  clearTimeout(timer);
  log.info("bye");
  process.exit(0);
}
