/**
 * Watches over the folder of the store: whether it is still there, and whether its disk has room. The keeper asks before
 * it acknowledges anything, and the guard looks by itself every few seconds, so that `/readyz` tells the truth.
 *
 *     STORE_LOST   the folder, or a part of it, was removed, replaced or remounted: nothing may be written any more. Only
 *                  a restart ends that, since the descriptors that are open lead to what was there before
 *     DISK_FULL    no new uploads; reads and removals work. Ends by itself once there is room
 *     STORE_FAILED the disk reports errors
 *     CATALOG_UNAVAILABLE, FENCED   the catalog in PostgreSQL is opened anew
 *
 * The main thread adds KEEPER_LOST while the thread of this guard is dead.
 */
import * as fs from "node:fs";
import { toWavecacheError, WavecacheError } from "../base/errors.ts";
import { minUploadRoomBytes, storeLookMs } from "../base/limits/streams.ts";
import { Ballast } from "./ballast.ts";
import { FolderWatch } from "./folder-watch.ts";
import type { CacheLayout } from "./layout.ts";

const catalogFaults = ["STORE_FAILED", "CATALOG_UNAVAILABLE", "FENCED"] as const;
/** What a catalog fails with for good, until it is opened anew. */
export type CatalogFault = (typeof catalogFaults)[number];

/** A fault of the store that lasts. A `detail` of null says that it is over. */
export interface StoreCondition {
  code: "KEEPER_LOST" | "STORE_LOST" | "DISK_FULL" | CatalogFault;
  detail: string | null;
}

export class StoreGuard {
  readonly #layout: CacheLayout;
  readonly #report: (condition: StoreCondition) => void;
  readonly #ballast: Ballast;
  #watch: FolderWatch | undefined;
  #lost: WavecacheError | undefined;
  readonly #current = new Set<StoreCondition["code"]>();
  #timer: Timer | undefined;
  #fault: StoreCondition | undefined;
  #onRoom: () => void = () => {};

  constructor(layout: CacheLayout, report: (condition: StoreCondition) => void) {
    this.#layout = layout;
    this.#report = report;
    this.#ballast = new Ballast(layout.ballast);
  }

  /** Call it once the catalog is open. `mark` is a file of it. `onRoom` is called at each look at a disk that has room. */
  start(mark: string, onRoom: () => void): void {
    this.#onRoom = onRoom;
    const { root, incoming, objects } = this.#layout;
    this.#watch = new FolderWatch([root, incoming, objects], [mark]);
    this.look();
    this.#timer = setInterval(() => this.look(), storeLookMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#watch?.close();
    this.#watch = undefined;
  }

  /** Why the store may not be written, if it is lost. */
  get lost(): WavecacheError | undefined {
    const path = this.#lost === undefined ? this.#watch?.lost() : undefined;
    if (path !== undefined) {
      this.#lost = new WavecacheError("STORE_LOST", path);
      this.#set("STORE_LOST", path);
    }
    return this.#lost;
  }

  /** The catalog cannot be written. Only another guard, of the catalog that is opened anew, ends that. */
  fail(error: WavecacheError): void {
    this.#fault = conditionOf(error);
    this.#set(this.#fault.code, error.message);
  }

  /** Ends what an earlier guard of this process has reported. */
  clear(): void {
    for (const code of ["DISK_FULL", ...catalogFaults] as const) this.#report({ code, detail: null });
  }

  /** Throws DISK_FULL if there is no room for a new upload. */
  checkRoom(): void {
    const missing = this.#missingRoom();
    this.#set("DISK_FULL", missing);
    if (missing !== undefined) throw new WavecacheError("DISK_FULL", missing);
  }

  /** Runs something that frees space; if the disk is full, with the space of the ballast. */
  withBallast<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (toWavecacheError(error).code !== "DISK_FULL" || !this.#ballast.release()) throw error;
      try {
        return act();
      } finally {
        this.look();
      }
    }
  }

  /** Reports what has changed. Never throws: it runs in a timer. */
  look(): void {
    if (this.lost !== undefined) return;
    try {
      const missing = this.#missingRoom();
      this.#set("DISK_FULL", missing);
      if (this.#fault?.code !== "STORE_FAILED") this.#set("STORE_FAILED", undefined);
      if (missing === undefined) this.#onRoom();
    } catch (error) {
      this.#set("STORE_FAILED", toWavecacheError(error).message);
    }
  }

  #missingRoom(): string | undefined {
    if (!this.#ballast.refill()) return "no room for the ballast";
    const { bavail, bsize } = fs.statfsSync(this.#layout.root);
    const freeBytes = bavail * bsize;
    return freeBytes < minUploadRoomBytes ? `${freeBytes} bytes are free` : undefined;
  }

  #set(code: StoreCondition["code"], detail: string | undefined): void {
    const isNews = (detail !== undefined) !== this.#current.has(code);
    if (detail === undefined) this.#current.delete(code);
    else this.#current.add(code);
    if (isNews) this.#report({ code, detail: detail ?? null });
  }
}

/** What is reported of an error of the catalog. */
export function conditionOf({
  code,
  message: detail,
}: WavecacheError): StoreCondition & { code: CatalogFault } {
  return { code: catalogFaults.find((each) => each === code) ?? "STORE_FAILED", detail };
}
