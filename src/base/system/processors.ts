/** How busy the processors of the machine are. */
import { cpus } from "node:os";

interface Times {
  busyMs: number;
  allMs: number;
}

/**
 * All processes count. In a container that may use only a part of the machine, the processors look less busy than they
 * are for it.
 */
export class ProcessorLoad {
  #before = timesNow();

  /** Share of the time since the last call, 0 to 1. */
  share(): number {
    const now = timesNow();
    const { busyMs, allMs } = this.#before;
    this.#before = now;
    return now.allMs > allMs ? (now.busyMs - busyMs) / (now.allMs - allMs) : 0;
  }
}

function timesNow(): Times {
  let busyMs = 0;
  let allMs = 0;
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    busyMs += all - times.idle;
    allMs += all;
  }
  return { busyMs, allMs };
}
