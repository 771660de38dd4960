/**
 * Which start of the system this is. What was written and not forced to the disk survives the end of a process, but not
 * of the system under it.
 */
import { uptime } from "node:os";
import { systemText } from "./system-text.ts";

export interface Boot {
  /** Linux gives each start a random name. */
  id: string | null;
  /** When the system was started, in milliseconds since 1970, about. */
  startedAt: number;
}

/** The clock may be set while the system runs, and a start takes longer than this. */
const toleranceMs = 30_000;

export function thisBoot(): Boot {
  const id = systemText("/proc/sys/kernel/random/boot_id") ?? null;
  return { id, startedAt: Math.round(Date.now() - uptime() * 1000) };
}

/** False also for what cannot be told: a clock that was set far looks like another start. */
export function isSameBoot(one: Boot, other: Boot): boolean {
  if (one.id !== null && other.id !== null) return one.id === other.id;
  return Math.abs(one.startedAt - other.startedAt) < toleranceMs;
}
