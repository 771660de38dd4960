/**
 * The last resort for a call that throws in a timer or a callback of a socket, such as one that opens a file while no
 * descriptor is free: the error is logged, and the server continues. One failed callback would otherwise end all uploads
 * and recordings.
 */
import type { Log } from "../log/log.ts";
import { RateLimitedLog } from "../log/rate-limited-log.ts";

export function surviveUncaught(log: Log): void {
  const limited = new RateLimitedLog(log);
  const report = (error: unknown) =>
    limited.error("a callback failed", { error, stack: error instanceof Error ? error.stack : undefined });
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}
