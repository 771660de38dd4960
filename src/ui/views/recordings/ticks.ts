/** The marks of a timeline's ruler. */
import { dayOf, spanOf, type TimeWindow } from "../../parts/time-window.ts";

export interface Tick {
  ms: number;
  label: string;
  /** The beginning of a day, whose label is the date. */
  isDay: boolean;
}

const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000];
const steps = [
  [100, 200, 500],
  [1, 2, 5, 10, 15, 30].map((count) => count * second),
  [1, 2, 5, 10, 15, 30].map((count) => count * minute),
  [1, 2, 3, 6, 12, 24].map((count) => count * hour),
].flat();

/** As many marks as there is room for, if each needs `tickPx`. */
export function ticksOf(window: TimeWindow, widthPx: number, tickPx: number): Tick[] {
  const maxTicks = Math.max(1, Math.floor(widthPx / tickPx));
  const step = steps.find((each) => spanOf(window) / each <= maxTicks) ?? day;
  const ticks: Tick[] = [];
  // Each day begins anew, so that marks stay at whole hours where the clock changes.
  for (let { fromMs, toMs } = dayOf(window.fromMs); fromMs < window.toMs; { fromMs, toMs } = dayOf(toMs)) {
    const first = Math.max(0, Math.ceil((window.fromMs - fromMs) / step));
    for (let ms = fromMs + first * step; ms < Math.min(toMs, window.toMs); ms += step) {
      const isDay = ms === fromMs;
      ticks.push({ ms, isDay, label: isDay ? formatDay(ms) : formatTimeOfDay(ms, step) });
    }
  }
  return ticks;
}

const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function formatDay(ms: number): string {
  return dayFormat.format(ms);
}

/** With as many digits as differ at this resolution: `09:05`, `09:05:07`, `09:05:07.4`. */
export function formatTimeOfDay(ms: number, resolutionMs: number): string {
  const date = new Date(Math.floor(ms));
  const clock = [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
  if (resolutionMs >= minute) return clock;
  const seconds = `${clock}:${String(date.getSeconds()).padStart(2, "0")}`;
  if (resolutionMs >= second) return seconds;
  const digits = resolutionMs >= 100 ? 1 : 3;
  return `${seconds}.${String(date.getMilliseconds()).padStart(3, "0").slice(0, digits)}`;
}
