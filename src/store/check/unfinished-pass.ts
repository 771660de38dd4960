/** Brings the unfinished rows of earlier runs into step with their files. */
import { settle, type Settlement } from "../streams/settle.ts";
import { type CheckContext, stepItems } from "./context.ts";

export async function settleUnfinished(context: CheckContext): Promise<void> {
  let after: string | undefined = "";
  while (after !== undefined) {
    after = settlePage(context, after);
    await context.pace.rest();
  }
}

/** Settles the rows after this id. Returns the last id, or undefined if there are no more. */
function settlePage(context: CheckContext, after: string): string | undefined {
  const { layout, catalog, drift } = context.store;
  const rows = catalog.unsettled(after, stepItems);
  drift.around(() =>
    catalog.transaction(() => {
      for (const row of rows) count(context, settle(layout, catalog, row, row.updatedAt));
    }, false),
  );
  return rows.at(-1)?.streamId;
}

function count({ figures }: CheckContext, { row, cutBytes }: Settlement): void {
  figures.settledRows += 1;
  figures.cutBytes += cutBytes;
  if (row === undefined) figures.removedRows += 1;
}
