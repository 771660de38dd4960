/**
 * Identifies the boot of the operating system. Written data that is not synced survives the end of a process, but not a
 * crash of the system; the store compares boots to know which of the two happened.
 */
import { uptime } from "node:os";
import { systemText } from "./system-text.ts";

export interface Boot {
  /** Linux has a random id for each boot. */
  id: string | null;
  /** Approximate time of the boot, in milliseconds since 1970. */
  startedAt: number;
}

/** Corrections of the clock stay below this, and no system boots twice within it. */
const toleranceMs = 30_000;

export function thisBoot(): Boot {
  const id = systemText("/proc/sys/kernel/random/boot_id") ?? null;
  return { id, startedAt: Math.round(Date.now() - uptime() * 1000) };
}

/** False if in doubt: after a large change of the clock the same boot looks like another one. */
export function isSameBoot(one: Boot, other: Boot): boolean {
  if (one.id !== null && other.id !== null) return one.id === other.id;
  return Math.abs(one.startedAt - other.startedAt) < toleranceMs;
}
