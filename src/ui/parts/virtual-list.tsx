/**
 * A list of any length, of which only the rows on screen exist. All rows have the same height. It scrolls with the
 * window, so that a phone hides its bars as for any page.
 */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { rowsInView } from "./rows-in-view.ts";

interface VirtualListProps {
  label: string;
  count: number;
  rowPx: number;
  renderRow: (index: number) => ComponentChildren;
  /** Called with the rows that are on screen, and some around them. */
  onRange: (first: number, end: number) => void;
}

export function VirtualList({ label, count, rowPx, renderRow, onRange }: VirtualListProps): JSX.Element {
  const list = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ first: 0, end: Math.min(count, 30) });
  useEffect(() => {
    const update = () => {
      const topPx = list.current!.getBoundingClientRect().top;
      const next = rowsInView({ topPx, viewPx: innerHeight, rowPx, count });
      setRange((known) => (known.first === next.first && known.end === next.end ? known : next));
    };
    update();
    addEventListener("scroll", update, { passive: true });
    addEventListener("resize", update);
    return () => {
      removeEventListener("scroll", update);
      removeEventListener("resize", update);
    };
  }, [count, rowPx]);
  useEffect(() => onRange(range.first, range.end), [range, onRange]);

  const end = Math.min(range.end, count);
  const rows = Array.from({ length: Math.max(0, end - range.first) }, (_, index) => range.first + index);
  return (
    <div ref={list} class="virtual" role="list" aria-label={label} style={{ height: `${count * rowPx}px` }}>
      {rows.map((index) => (
        <div
          key={index}
          class="virtual-row"
          role="listitem"
          aria-setsize={count}
          aria-posinset={index + 1}
          style={{ height: `${rowPx}px`, transform: `translateY(${index * rowPx}px)` }}
        >
          {renderRow(index)}
        </div>
      ))}
    </div>
  );
}
