/**
 * The scrub reads every object from time to time, so that damage is found while the audio can still be uploaded again. It
 * reads slowly, in a thread of its own: a pass should take most of the time until the next one is due. The catalog holds
 * its position, so a restart continues the pass.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { toWavecacheError } from "../../base/errors.ts";
import {
  minScrubBytesPerObject,
  minScrubBytesPerSecond,
  scrubDelayMs,
  scrubPageObjects,
  scrubPieceBytes,
  scrubRetryMs,
} from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { Pool } from "../../pool/pool.ts";
import type { Reader } from "../../pool/reader.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { StoredObject } from "../../store/streams/catalog.ts";
import type { ScrubState } from "../../store/streams/scrub-state.ts";

export interface ScrubSettings {
  /** Every object is read once in this time; undefined for never. */
  intervalMs: number | undefined;
  /** Default: `scrubDelayMs`. */
  delayMs?: number;
}

/** What the scrub needs of the engine. */
export interface ScrubHost {
  /** Bytes of all objects. */
  objectBytes(): number;
  /** Every block of an object that was marked as damaged is right. */
  disproved(sha256: string): Promise<void>;
}

/** How full a pass may make the interval: the rest makes up for restarts and new objects. */
const passFraction = 0.8;
/** How often the position is saved. */
const saveIntervalMs = 10_000;
/** Longer waits are cut, because a wall clock may be set. */
const maxWaitMs = 3_600_000;
/** Shorter rests add up until they are worth a timer. */
const minRestMs = 5;

export class Scrub {
  isRunning = false;
  /** What this process has read. */
  objects = 0;
  bytes = 0;
  /** The part of the current pass that is done; SHA-256 spreads objects evenly. */
  progress = 0;
  finishedAt: number | undefined;
  readonly #pool: Pick<Pool, "keeper" | "readers">;
  readonly #layout: CacheLayout;
  readonly #settings: ScrubSettings;
  readonly #host: ScrubHost;
  readonly #log: Log;
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  #restUntilMs = 0;
  /** In a row. */
  #failures = 0;

  constructor(
    pool: Pick<Pool, "keeper" | "readers">,
    layout: CacheLayout,
    settings: ScrubSettings,
    host: ScrubHost,
    log: Log,
  ) {
    this.#pool = pool;
    this.#layout = layout;
    this.#settings = settings;
    this.#host = host;
    this.#log = log;
  }

  /** The store must be open. */
  start(): void {
    const { intervalMs } = this.#settings;
    if (intervalMs !== undefined) this.#running = this.#run(intervalMs);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** Never rejects. */
  async #run(intervalMs: number): Promise<void> {
    const { signal } = this.#abort;
    await this.#wait(Math.min(intervalMs, this.#settings.delayMs ?? scrubDelayMs));
    while (!signal.aborted) {
      try {
        await this.#passIfDue(intervalMs);
        this.#failures = 0;
      } catch (error) {
        this.#failed(error);
      }
      const dueInMs = (this.finishedAt ?? -Infinity) + intervalMs - sharedNow();
      await this.#wait(dueInMs > 0 ? Math.min(dueInMs, maxWaitMs) : Math.min(intervalMs, scrubRetryMs));
    }
  }

  /** Warns once: a full disk may interrupt it for long. */
  #failed(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#failures += 1;
    const write = this.#failures === 1 ? this.#log.warn : this.#log.debug;
    write("the scrub was interrupted and continues later", { error });
  }

  async #wait(ms: number): Promise<void> {
    const { signal } = this.#abort;
    // Rejects at the end only; the loops look at the signal.
    if (!signal.aborted) await sleep(ms, undefined, { signal }).catch(() => undefined);
  }

  async #passIfDue(intervalMs: number): Promise<void> {
    const state = await this.#pool.keeper.call("scrubState", null);
    this.finishedAt = state.finishedAt;
    const age = sharedNow() - (state.finishedAt ?? -Infinity);
    // A time in the future means that the clock was set.
    if (state.after === undefined && age >= 0 && age < intervalMs) return;
    const first = await this.#nextPage(state.after ?? "");
    if (first.length === 0 && state.after === undefined) return;
    const scrubber = this.#pool.readers.startScrubber();
    this.isRunning = true;
    try {
      await this.#pass(scrubber, state, first, intervalMs);
    } finally {
      this.isRunning = false;
      await this.#pool.readers.stopScrubber();
    }
  }

  async #pass(scrubber: Reader, state: ScrubState, first: StoredObject[], intervalMs: number): Promise<void> {
    this.#log.info("the scrub verifies all objects", { resumedAfter: state.after });
    let savedAtMs = performance.now();
    let last = state.after;
    for (let page = first; page.length > 0; page = await this.#nextPage(last!)) {
      for (const object of page) {
        await this.#verify(scrubber, object, intervalMs);
        if (this.#abort.signal.aborted) return await this.#save({ ...state, after: last });
        last = object.sha256;
        this.progress = Number.parseInt(last.slice(0, 4), 16) / 65_536;
        if (performance.now() - savedAtMs < saveIntervalMs) continue;
        savedAtMs = performance.now();
        await this.#save({ ...state, after: last });
      }
    }
    await this.#sweep();
    this.progress = 0;
    this.finishedAt = sharedNow();
    await this.#save({ after: undefined, finishedAt: this.finishedAt });
    this.#log.info("the scrub has verified all objects", { objects: this.objects, bytes: this.bytes });
  }

  #nextPage(after: string): Promise<StoredObject[]> {
    return this.#pool.keeper.call("nextObjects", { after, limit: scrubPageObjects });
  }

  async #save(state: ScrubState): Promise<void> {
    await this.#pool.keeper.call("saveScrubState", state);
  }

  /** The reader reports damage by itself, as for any read. */
  async #verify(scrubber: Reader, object: StoredObject, intervalMs: number): Promise<void> {
    const { sha256, size, isDamaged } = object;
    const path = this.#layout.objectPath(sha256);
    try {
      for (let offset = 0; offset < size; offset += scrubPieceBytes) {
        const length = Math.min(scrubPieceBytes, size - offset);
        await scrubber.check(path, offset, length, size);
        this.bytes += length;
        await this.#rest(length, intervalMs);
        if (this.#abort.signal.aborted) return;
      }
      if (isDamaged) await this.#host.disproved(sha256);
    } catch (error) {
      this.#tolerate(sha256, error);
    } finally {
      scrubber.forget(path);
    }
    this.objects += 1;
    await this.#rest(minScrubBytesPerObject, intervalMs);
  }

  #tolerate(sha256: string, error: unknown): void {
    const known = toWavecacheError(error);
    if (known.code === "WORKER_LOST") throw known;
    if (known.code === "OBJECT_DAMAGED" || known.code === "OBJECT_MISSING") return;
    this.#log.warn("the scrub could not read an object", { sha256, error: known });
  }

  /** Rests for as long as reading so many bytes may take. */
  async #rest(bytes: number, intervalMs: number): Promise<void> {
    const needed = (this.#host.objectBytes() * 1000) / (intervalMs * passFraction);
    const bytesPerMs = Math.max(minScrubBytesPerSecond, needed) / 1000;
    const now = performance.now();
    this.#restUntilMs = Math.max(this.#restUntilMs, now) + bytes / bytesPerMs;
    if (this.#restUntilMs - now >= minRestMs) await this.#wait(this.#restUntilMs - now);
  }

  /** Removes the block checksums of objects that are gone. */
  async #sweep(): Promise<void> {
    for (let folder = 0; folder < 256 && !this.#abort.signal.aborted; folder += 1) {
      await this.#pool.keeper.call("sweepSums", { folder });
      await this.#rest(minScrubBytesPerObject, this.#settings.intervalMs!);
    }
  }
}
