/** How far the scrub has come, in the catalog: a restart continues where it was. */
import type { Catalog } from "./catalog.ts";

export interface ScrubState {
  /** SHA-256 of the last object that the current pass has verified; undefined if no pass is running. */
  after: string | undefined;
  /** When the last pass ended, in milliseconds since 1970; undefined if none has. */
  finishedAt: number | undefined;
}

const afterFact = "scrub_after";
const finishedAtFact = "scrub_finished_at";

type Facts = Pick<Catalog, "meta" | "setMeta">;

export function readScrubState(catalog: Facts): ScrubState {
  const finishedAt = catalog.meta(finishedAtFact);
  return {
    after: catalog.meta(afterFact),
    finishedAt: finishedAt === undefined ? undefined : Number(finishedAt),
  };
}

export function saveScrubState(catalog: Facts, { after, finishedAt }: ScrubState): null {
  catalog.setMeta(afterFact, after);
  catalog.setMeta(finishedAtFact, finishedAt === undefined ? undefined : String(finishedAt));
  return null;
}
