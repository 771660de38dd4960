/** What happened to access: refusals, removals and changes of tokens. The last of them are in memory, all in the log. */
import type { ErrorCode } from "../base/errors.ts";
import { maxAuditEntries, maxAuditLinesPerSecond } from "../base/limits/access.ts";
import type { Log } from "../base/log/log.ts";
import type { Action } from "./actions.ts";

export interface AuditEntry {
  /** Milliseconds since 1970. */
  at: number;
  principal: string;
  action: Action | "authenticate";
  resource: string;
  address: string;
  /** `allowed`, or why it was refused. */
  outcome: ErrorCode | "allowed";
}

export class Audit {
  readonly #log: Log;
  /** A ring: `#count` modulo its length is where the next entry goes. */
  readonly #entries: AuditEntry[] = [];
  #count = 0;
  #second = 0;
  #lines = 0;
  #suppressed = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  record(entry: AuditEntry): void {
    this.#entries[this.#count % maxAuditEntries] = entry;
    this.#count += 1;
    this.#write(entry);
  }

  /** The last entries, the newest first. */
  last(limit: number): AuditEntry[] {
    const length = Math.min(limit, this.#entries.length);
    return Array.from({ length }, (_, at) => this.#entries[(this.#count - 1 - at) % maxAuditEntries]!);
  }

  #write({ at, ...fields }: AuditEntry): void {
    const second = Math.floor(at / 1000);
    if (second !== this.#second) [this.#second, this.#lines] = [second, 0];
    this.#lines += 1;
    if (this.#lines > maxAuditLinesPerSecond) {
      this.#suppressed += 1;
      return;
    }
    const level = fields.outcome === "allowed" ? "info" : "warn";
    this.#log[level]("access", this.#suppressed === 0 ? fields : { ...fields, suppressed: this.#suppressed });
    this.#suppressed = 0;
  }
}
