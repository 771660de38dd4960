export interface ListView {
  /** Where the list begins, measured from the top of the window; negative once it is scrolled. */
  topPx: number;
  viewPx: number;
  rowPx: number;
  count: number;
}

/** Rows above and below the window that exist, too, so that scrolling shows no gaps. */
const marginRows = 12;

/** The rows to render: from `first`, up to but without `end`. */
export function rowsInView({ topPx, viewPx, rowPx, count }: ListView): { first: number; end: number } {
  const top = Math.floor(-topPx / rowPx) - marginRows;
  const bottom = Math.ceil((viewPx - topPx) / rowPx) + marginRows;
  const first = Math.max(0, Math.min(top, count));
  return { first, end: Math.max(first, Math.min(bottom, count)) };
}
