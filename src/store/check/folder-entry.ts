/**
 * A folder that gets a catalog which nodes share, in the place of one of its own, has streams that only its journal knows.
 * The first check enters them. From then on the journal is no authority: other nodes may have removed what it knows.
 */
import type { CacheLayout } from "../layout.ts";
import type { Catalog } from "../streams/catalog.ts";
import { hasObjects } from "../streams/objects.ts";

type EnteredCatalog = Pick<Catalog, "isNew" | "isShared" | "meta" | "setMeta">;

const enteredFact = "folder_entered";

/** Call it in the transaction that begins a run: a folder without audio has nothing to enter. */
export function noteNewFolder(layout: CacheLayout, catalog: EnteredCatalog): void {
  if (catalog.isShared && catalog.isNew && !hasObjects(layout)) catalog.setMeta(enteredFact, "yes");
}

/** Call it in a transaction, once a check has ended. */
export function noteEntered(catalog: EnteredCatalog): void {
  if (catalog.isShared && catalog.meta(enteredFact) === undefined) catalog.setMeta(enteredFact, "yes");
}

/** Whether what the journal knows is entered in the catalog. */
export function isJournalTrusted(catalog: EnteredCatalog): boolean {
  return !catalog.isShared || catalog.meta(enteredFact) === undefined;
}
