/** Pages of a list of which the caller may see only some rows. */
import { maxScannedRows } from "../base/limits/access.ts";

export interface VisibleQuery<Row> {
  /** Rows of the page. */
  limit: number;
  /** Reads rows after this one; after the start of the page without it. */
  read(last: Row | undefined, limit: number): Promise<Row[]>;
  isVisible(row: Row): boolean;
}

/** As many visible rows as the page has room for, unless the list ends before. */
export async function visibleRows<Row>({ limit, read, isVisible }: VisibleQuery<Row>): Promise<Row[]> {
  const visible: Row[] = [];
  let last: Row | undefined;
  // The first read is all there is for whoever may see everything.
  for (let wanted = limit; ; wanted = maxScannedRows) {
    const rows = await read(last, wanted);
    for (const row of rows) if (visible.length < limit && isVisible(row)) visible.push(row);
    if (visible.length === limit || rows.length < wanted) return visible;
    last = rows.at(-1);
  }
}
