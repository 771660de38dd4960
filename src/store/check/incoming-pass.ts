/** Sets aside files in incoming/ that no row accounts for. */
import * as fs from "node:fs";
import { join } from "node:path";
import { type CheckContext, stepItems } from "./context.ts";

export async function checkIncoming(context: CheckContext): Promise<void> {
  const { layout } = context.store;
  const names = await fs.promises.readdir(layout.incoming);
  for (let from = 0; from < names.length; from += stepItems) {
    for (const name of names.slice(from, from + stepItems)) checkName(context, name);
    await context.pace.rest();
  }
}

function checkName(context: CheckContext, name: string): void {
  const { layout, catalog, keyPrefix } = context.store;
  // A writer opens the file of a new upload before the keeper inserts its row.
  if (name.startsWith(keyPrefix) || catalog.hasKey(name)) return;
  const path = join(layout.incoming, name);
  // Finished, removed or expired since the folder was listed.
  if (!fs.existsSync(path)) return;
  context.setAside(path, name, "incoming");
}
