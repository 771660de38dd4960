import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

const intervalMs = 1_000;
/** How much of a rate the last second decides; the rest is what was before, so that the figure is steady. */
const weight = 0.4;

/** How fast a count grows, in units a second. */
export function useRate(count: ReadonlySignal<number>): number {
  const [rate, setRate] = useState(0);
  useEffect(() => {
    let known = count.peek();
    const timer = setInterval(() => {
      const grown = Math.max(0, count.peek() - known);
      known = count.peek();
      setRate((before) => (before === 0 ? grown : before * (1 - weight) + grown * weight));
    }, intervalMs);
    return () => clearInterval(timer);
  }, [count]);
  return rate;
}
