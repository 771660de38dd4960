/** The part of time that a timeline shows. Times are milliseconds since 1970. */

export interface TimeWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

const dayMs = 86_400_000;
export const minSpanMs = 1_000;
export const maxSpanMs = 7 * dayMs;

export function spanOf({ fromMs, toMs }: TimeWindow): number {
  return toMs - fromMs;
}

/** A factor below 1 shows less time. The time `atMs` stays where it is, unless a limit of the span is reached. */
export function zoomed(window: TimeWindow, factor: number, atMs: number): TimeWindow {
  const span = Math.min(maxSpanMs, Math.max(minSpanMs, spanOf(window) * factor));
  const share = (atMs - window.fromMs) / spanOf(window);
  const fromMs = atMs - share * span;
  return { fromMs, toMs: fromMs + span };
}

export function panned({ fromMs, toMs }: TimeWindow, byMs: number): TimeWindow {
  return { fromMs: fromMs + byMs, toMs: toMs + byMs };
}

/** The window around a time, of the same span if it does not show it yet. */
export function showing(window: TimeWindow, ms: number): TimeWindow {
  if (ms >= window.fromMs && ms <= window.toMs) return window;
  return panned(window, ms - (window.fromMs + window.toMs) / 2);
}

/** With a margin at both sides, relative to its span. */
export function widened(window: TimeWindow, share: number): TimeWindow {
  const margin = spanOf(window) * share;
  return { fromMs: window.fromMs - margin, toMs: window.toMs + margin };
}

export function contains(outer: TimeWindow, inner: TimeWindow): boolean {
  return outer.fromMs <= inner.fromMs && outer.toMs >= inner.toMs;
}

/** The day of the user's calendar that has this time. It lasts 23 or 25 hours where the clock changes. */
export function dayOf(ms: number): TimeWindow {
  return { fromMs: dayStart(ms, 0), toMs: dayStart(ms, 1) };
}

/** The beginning of a day, so many days later. */
export function dayStart(ms: number, days: number): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}
