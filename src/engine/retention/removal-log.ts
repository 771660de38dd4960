/** Says in the log what retention has removed: one line a second for each limit, however many batches there were. */
import type { Log } from "../../base/log/log.ts";
import type { Removal } from "./plan.ts";

interface Sum {
  count: number;
  bytes: number;
}

const intervalMs = 1_000;

export class RemovalLog {
  readonly #log: Log;
  readonly #sums = new Map<string, Sum & Pick<Removal, "kind" | "reason">>();
  #writtenAtMs = -Infinity;

  constructor(log: Log) {
    this.#log = log;
  }

  add({ kind, reason }: Pick<Removal, "kind" | "reason">, { count, bytes }: Sum): void {
    if (count === 0) return;
    const key = `${kind} ${reason}`;
    const sum = this.#sums.get(key) ?? { kind, reason, count: 0, bytes: 0 };
    this.#sums.set(key, { kind, reason, count: sum.count + count, bytes: sum.bytes + bytes });
    this.writeIfDue();
  }

  writeIfDue(): void {
    if (performance.now() - this.#writtenAtMs >= intervalMs) this.write();
  }

  /** Writes what is left. */
  write(): void {
    if (this.#sums.size > 0) this.#writtenAtMs = performance.now();
    for (const sum of this.#sums.values()) this.#log.info("removed to keep within the limits", { ...sum });
    this.#sums.clear();
  }
}
