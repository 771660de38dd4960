/** Damaged objects: marks their streams in the catalog, and tells the operator once instead of at every read. */
import { basename } from "node:path";
import type { WavecacheError } from "../../base/errors.ts";
import { damageReportIntervalMs, maxKnownDamage } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import { Lru } from "../../base/lru.ts";
import type { Pool } from "../../pool/pool.ts";

/** More ids than this are left out of a line of the log. */
const maxLoggedIds = 10;

export class Damage {
  /** Reads and checks that found damage. */
  found = 0;
  /** Finished streams that are marked as damaged. */
  streams = 0;
  readonly #keeper: Pick<Pool["keeper"], "call">;
  readonly #onEvicted: (path: string) => void;
  readonly #log: Log;
  /** When the damage of an object was reported last, by SHA-256; of the monotonic clock. */
  readonly #reportedAtMs = new Lru<number>(maxKnownDamage);

  /** `onEvicted` hears of an object that the archive has: its damaged copy here is gone. */
  constructor(keeper: Pick<Pool["keeper"], "call">, onEvicted: (path: string) => void, log: Log) {
    this.#keeper = keeper;
    this.#onEvicted = onEvicted;
    this.#log = log;
  }

  /** A read or a check has found an object damaged or missing. */
  report(path: string, error: WavecacheError): void {
    this.found += 1;
    const sha256 = basename(path);
    const now = performance.now();
    if (now - (this.#reportedAtMs.get(sha256) ?? -Infinity) < damageReportIntervalMs) return;
    this.#reportedAtMs.set(sha256, now);
    void this.#mark(sha256, true, (streamIds, isEvicted) => {
      if (isEvicted) this.#replace(path, error);
      else this.#warn(streamIds, error);
    });
  }

  /** Every block of an object that was marked as damaged is right. */
  disproved(sha256: string): Promise<void> {
    return this.#mark(sha256, false, (streamIds) => {
      this.#log.info("damaged audio is whole again", { streamIds: shown(streamIds) });
    });
  }

  /** An upload has replaced this object. */
  async replaced(sha256: string): Promise<void> {
    this.#reportedAtMs.delete(sha256);
    await this.recountIfAny();
  }

  /** Counts again if any stream is damaged: it may have been repaired or removed. */
  async recountIfAny(): Promise<void> {
    if (this.streams > 0) await this.recount();
  }

  async recount(): Promise<void> {
    try {
      this.streams = await this.#keeper.call("countDamaged", null);
    } catch (error) {
      this.#log.warn("damaged streams could not be counted", { error });
    }
  }

  async #mark(
    sha256: string,
    isDamaged: boolean,
    report: (streamIds: string[], isEvicted: boolean) => void,
  ): Promise<void> {
    try {
      const { streamIds, isEvicted } = await this.#keeper.call("markDamaged", { sha256, isDamaged });
      // None if they are marked already, or the stream was removed during the read.
      if (streamIds.length > 0 || isEvicted) report(streamIds, isEvicted);
      await this.recount();
    } catch (error) {
      this.#log.warn("the catalog did not note damaged audio", { sha256, error });
    }
  }

  #replace(path: string, { code, detail }: WavecacheError): void {
    this.#onEvicted(path);
    const sha256 = basename(path);
    // The next copy here may get damaged, too.
    this.#reportedAtMs.delete(sha256);
    this.#log.warn("audio was damaged on the disk; the archive has it", { sha256, code, detail });
  }

  #warn(streamIds: string[], error: WavecacheError): void {
    this.#log.warn("audio is damaged on the disk", {
      streamIds: shown(streamIds),
      code: error.code,
      detail: error.detail,
      hint: "check the disk; an upload of the same audio repairs it",
    });
  }
}

function shown(streamIds: string[]): string {
  const more = streamIds.length - maxLoggedIds;
  return streamIds.slice(0, maxLoggedIds).join(" ") + (more > 0 ? ` and ${more} more` : "");
}
