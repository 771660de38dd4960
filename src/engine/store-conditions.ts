/** Lasting faults of the store, as the keeper reports them: they are logged once, and `/readyz` shows them. */
import { type ErrorCode, errorRow, WavecacheError } from "../base/errors.ts";
import type { Log } from "../base/log/log.ts";
import type { Readiness } from "../base/readiness.ts";
import type { EventWriter } from "./events/event-writer.ts";

export class StoreConditions {
  readonly #readiness: Readiness;
  readonly #events: EventWriter;
  readonly #log: Log;

  constructor(readiness: Readiness, events: EventWriter, log: Log) {
    this.#readiness = readiness;
    this.#events = events;
    this.#log = log;
  }

  /** Enters a fault, or ends it if `detail` is null. */
  change(code: ErrorCode, detail: string | null): void {
    const { reason, hint } = errorRow(code);
    if (detail === null) {
      if (this.#readiness.clear(code)) this.#log.info("a fault of the store is over", { code });
    } else if (this.#readiness.set(code, reason)) {
      this.#log.error(reason, { code, detail, hint });
      if (code === "DISK_FULL") this.#events.add("storage.low", "storage", { detail });
    }
  }

  has(code: ErrorCode): boolean {
    return this.#readiness.has(code);
  }

  /** Throws the error of a fault that has not ended. */
  refuse(code: ErrorCode): void {
    if (this.#readiness.has(code)) throw new WavecacheError(code);
  }
}
