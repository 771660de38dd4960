/** Warnings that any peer can cause: one line of each kind per period, with the number of suppressed ones. */
import type { Fields, Log } from "./log.ts";

const periodMs = 10_000;

export class RateLimitedLog {
  readonly #log: Log;
  /** For each message, when it was last logged, and how often it was suppressed since. */
  readonly #logged = new Map<string, { at: number; suppressed: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** `message` must be one of a few fixed texts: each takes an entry. */
  warn(message: string, fields: Fields): void {
    this.#write("warn", message, fields);
  }

  /** Like `warn`, for failures of the server itself. */
  error(message: string, fields: Fields): void {
    this.#write("error", message, fields);
  }

  #write(level: "warn" | "error", message: string, fields: Fields): void {
    const logged = this.#logged.get(message);
    const now = performance.now();
    if (logged !== undefined && now - logged.at < periodMs) {
      logged.suppressed += 1;
      return;
    }
    this.#logged.set(message, { at: now, suppressed: 0 });
    this.#log[level](message, { ...fields, suppressed: logged?.suppressed ?? 0 });
  }
}
