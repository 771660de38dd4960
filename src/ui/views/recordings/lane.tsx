import type { JSX } from "preact";
import { useMemo, useRef } from "preact/hooks";
import type { TimeWindow } from "../../parts/time-window.ts";
import { TimelineCanvas, useWidth } from "./canvas.tsx";
import { useRange } from "./range-data.ts";

interface LaneProps {
  device: string;
  day: TimeWindow;
  version: number;
  hasRuler?: boolean;
  /** A part of the day to mark. */
  marked?: TimeWindow | undefined;
}

/** A day of a device at a glance. */
export function Lane({ device, day, version, hasRuler = false, marked }: LaneProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const widthPx = useWidth(canvas);
  const { data } = useRange(device, day, widthPx, version);
  const scene = useMemo(
    () => ({ window: day, data, selection: marked, hasRuler }),
    [day, data, marked, hasRuler],
  );
  return <TimelineCanvas canvas={canvas} scene={scene} />;
}
