/**
 * Files that no row of the catalog accounts for. They may be all that is left of a stream whose row was lost, so they
 * are set aside and not deleted: `lost+found/<yyyymmdd>/<where it was>/<name>`. A folder of a day is removed after it
 * has been there for `keptMs` of running time; the catalog has the running time at which it was first seen.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { type CacheLayout, namesIn } from "../layout.ts";
import type { Catalog } from "../streams/catalog.ts";

export type Origin = "incoming" | "objects" | "catalog";

const dayFolder = /^\d{8}$/;

export class LostFound {
  readonly #layout: CacheLayout;
  readonly #catalog: Pick<Catalog, "meta" | "setMeta" | "runningMs" | "transaction">;

  constructor(layout: CacheLayout, catalog: Pick<Catalog, "meta" | "setMeta" | "runningMs" | "transaction">) {
    this.#layout = layout;
    this.#catalog = catalog;
  }

  /** Sets a file or folder aside. Returns its bytes. */
  take(path: string, name: string, origin: Origin): number {
    const { size } = fs.statSync(path);
    setAside(this.#layout, path, name, origin);
    return size;
  }

  /** Removes the folders of days that have been there for this long. Returns their names. */
  async expire(keptMs: number): Promise<string[]> {
    const expired = daysIn(this.#layout).filter((day) => this.#ageMs(day) >= keptMs);
    for (const day of expired) {
      await fs.promises.rm(join(this.#layout.lostFound, day), { recursive: true });
      this.#setFirstSeen(day, undefined);
    }
    return expired;
  }

  #ageMs(day: string): number {
    const now = this.#catalog.runningMs();
    const seen = this.#catalog.meta(firstSeenFact(day));
    if (seen !== undefined && Number(seen) <= now) return now - Number(seen);
    // New, or of a catalog that was lost and counts from the beginning again.
    this.#setFirstSeen(day, now);
    return 0;
  }

  #setFirstSeen(day: string, runningMs: number | undefined): void {
    const value = runningMs === undefined ? undefined : String(runningMs);
    this.#catalog.transaction(() => this.#catalog.setMeta(firstSeenFact(day), value), false);
  }
}

/** Moves a file or folder to the lost and found of today. Returns its path there. */
export function setAside(layout: CacheLayout, path: string, name: string, origin: Origin): string {
  const folder = join(layout.lostFound, today(), origin);
  fs.mkdirSync(folder, { recursive: true });
  const target = freePath(folder, name);
  fs.renameSync(path, target);
  return target;
}

/** The files in all lost and founds that were once in `origin`, by path. */
export function* listSetAside(layout: CacheLayout, origin: Origin): Generator<string> {
  for (const day of daysIn(layout)) {
    const folder = join(layout.lostFound, day, origin);
    for (const name of namesIn(folder)) yield join(folder, name);
  }
}

function daysIn(layout: CacheLayout): string[] {
  return namesIn(layout.lostFound).filter((name) => dayFolder.test(name));
}

function firstSeenFact(day: string): string {
  return `lost+found/${day}`;
}

/** The date only names the folder; its age is running time. */
function today(): string {
  return new Date().toISOString().slice(0, 10).replaceAll("-", "");
}

/** `name`, or with a number if that is taken. */
function freePath(folder: string, name: string): string {
  for (let count = 0; ; count++) {
    const path = join(folder, count === 0 ? name : `${name}.${count}`);
    if (!fs.existsSync(path)) return path;
  }
}
