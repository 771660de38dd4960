/** Adds the streams of an older version to the index of the search, which has none of them after an upgrade. */
import { type CheckContext, stepItems } from "./context.ts";

export async function fillSearch({ store, pace }: CheckContext): Promise<void> {
  const { catalog } = store;
  while (catalog.transaction(() => catalog.fillSearch(stepItems), false)) await pace.rest();
}
