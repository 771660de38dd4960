/** Curves over time, by uPlot, whose script is loaded when there is something to draw. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { currentTheme } from "../app/theme.ts";
import { axisTimes } from "./axis-times.ts";
import { notifyError } from "./toasts.tsx";

export interface CurveSeries {
  label: string;
  /** One of the page's colors. */
  color: "accent" | "wave" | "muted" | "warn";
  isDashed?: boolean;
  isFilled?: boolean;
  /** At each of the times; null where there is nothing. */
  values: readonly (number | null)[];
}

export interface CurveData {
  /** In seconds since 1970. */
  times: readonly number[];
  series: readonly CurveSeries[];
}

interface CurveProps {
  /** For screen readers: what the curve shows, and its latest values. */
  label: string;
  data: CurveData;
  /** The marks of the vertical axis from its bottom to its top, where these do not follow the values. */
  marks?: readonly number[];
  format: (value: number) => string;
  heightPx?: number;
}

export function Curve({ label, data, marks, format, heightPx = 180 }: CurveProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const theme = currentTheme();
  useEffect(() => {
    const ending = new AbortController();
    const element = place.current!;
    draw(element, { data, marks, format, heightPx }, ending.signal).catch(notifyError);
    return () => ending.abort();
  }, [data, theme]);
  return (
    <div ref={place} class="curve" role="img" aria-label={label} style={{ minHeight: `${heightPx}px` }} />
  );
}

type Drawing = Pick<CurveProps, "data" | "marks" | "format"> & { heightPx: number };

/** Draws into the element, in its width, until the signal is aborted. */
async function draw(element: HTMLElement, drawing: Drawing, signal: AbortSignal): Promise<void> {
  const { default: Plot } = await import("uplot");
  if (signal.aborted) return;
  const { times, series } = drawing.data;
  const columns = [times.slice(), ...series.map(({ values }) => values.slice())] as uPlot.AlignedData;
  const plot = new Plot(optionsOf(element, drawing), columns, element);
  const observer = new ResizeObserver(() =>
    plot.setSize({ width: element.clientWidth, height: drawing.heightPx }),
  );
  observer.observe(element);
  signal.addEventListener("abort", () => {
    observer.disconnect();
    plot.destroy();
  });
}

function optionsOf(element: HTMLElement, { data, marks, format, heightPx }: Drawing): uPlot.Options {
  const styles = getComputedStyle(element);
  const colorOf = (name: string) => styles.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colorOf("muted"),
    grid: { stroke: colorOf("line"), width: 1 },
    ticks: { show: false },
    font: `12px ${styles.fontFamily}`,
  };
  return {
    width: element.clientWidth,
    height: heightPx,
    cursor: { y: false, points: { size: 6 } },
    padding: [8, 16, 0, 0],
    scales: { y: marks === undefined ? {} : { range: () => [marks[0]!, marks.at(-1)!] } },
    axes: [
      { ...axis, size: 30, space: 84, values: (_plot, times) => axisTimes(times) },
      {
        ...axis,
        size: 64,
        values: (_plot, values) => values.map(format),
        ...(marks === undefined ? {} : { splits: () => [...marks] }),
      },
    ],
    series: [
      {
        label: "Time",
        value: (_plot, seconds) => (seconds === null ? "" : timeFormat.format(seconds * 1000)),
      },
      ...data.series.map((each) => ({
        ...seriesOf(each, colorOf(each.color), format),
        ...(marks === undefined ? {} : { fillTo: marks[0]! }),
      })),
    ],
  };
}

/** The alpha of what lies below a curve, behind a color of six digits. */
const faint = "26";
const timeFormat = new Intl.DateTimeFormat(undefined, {
  dateStyle: "short",
  timeStyle: "short",
  hourCycle: "h23",
});

function seriesOf(
  { label, isDashed = false, isFilled = false }: CurveSeries,
  color: string,
  format: (value: number) => string,
): uPlot.Series {
  return {
    label,
    stroke: color,
    width: 1.5,
    points: { show: false },
    value: (_plot, value) => (value === null ? "–" : format(value)),
    ...(isDashed ? { dash: [6, 5] } : {}),
    ...(isFilled ? { fill: `${color}${faint}` } : {}),
  };
}
