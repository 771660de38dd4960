/** Warnings that any peer can cause: one line of each kind per period, and one that says how often it was repeated. */
import { logRepeatMs } from "../limits/log.ts";
import type { Fields, Log } from "./log.ts";
import { Repeats } from "./repeats.ts";

interface Line {
  level: "warn" | "error";
  message: string;
  fields: Fields;
}

export class RateLimitedLog {
  readonly #log: Log;
  readonly #repeats: Repeats<Line>;

  constructor(log: Log, periodMs = logRepeatMs) {
    this.#log = log;
    const report = (last: Line, repeated: number) =>
      this.#write({ ...last, fields: { ...last.fields, repeated } });
    this.#repeats = new Repeats({ burst: 1, periodMs, report });
  }

  /** `message` must be one of a few fixed texts: each takes an entry. */
  warn(message: string, fields: Fields): void {
    this.#limit({ level: "warn", message, fields });
  }

  /** Like `warn`, for failures of the server itself. */
  error(message: string, fields: Fields): void {
    this.#limit({ level: "error", message, fields });
  }

  #limit(line: Line): void {
    if (this.#repeats.passes(line.message, line)) this.#write(line);
  }

  #write({ level, message, fields }: Line): void {
    this.#log[level](message, fields);
  }
}
