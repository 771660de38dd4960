/**
 * The time that nodes with one catalog agree on: the clock of its database. A machine whose clock is right goes by its own;
 * where it is wrong, everything that other nodes or clients see is corrected. Each thread has a correction of its own.
 */

let aheadMs = 0;

/** Milliseconds since 1970. */
export function sharedNow(): number {
  return Date.now() - aheadMs;
}

/** How much the clock of this machine is ahead, as far as it counts; 0 on a single machine. */
export function clockAheadMs(): number {
  return aheadMs;
}

export function correctClock(ms: number): void {
  aheadMs = ms;
}
