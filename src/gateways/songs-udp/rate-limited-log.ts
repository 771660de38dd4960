/** What any datagram can cause, and so must not fill the log: one line a period, with how many were left out. */
import type { Log } from "../../base/log.ts";
import type { Peer } from "./transfer.ts";

const periodMs = 10_000;

export class RateLimitedLog {
  readonly #log: Log;
  /** By what was said: when, and how often since then. */
  readonly #said = new Map<string, { at: number; unsaid: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** `what` is one of a few texts of ours. */
  note(what: string, { address }: Peer, error: unknown): void {
    const said = this.#said.get(what);
    const now = performance.now();
    if (said !== undefined && now - said.at < periodMs) {
      said.unsaid += 1;
      return;
    }
    this.#said.set(what, { at: now, unsaid: 0 });
    this.#log.warn(what, { address, error, alsoUnsaid: said?.unsaid ?? 0 });
  }
}
