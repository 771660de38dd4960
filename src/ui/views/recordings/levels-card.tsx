/** How loud the device was in the window of the timeline, as curves. */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { loadLevels } from "../../api/recordings.ts";
import { Card } from "../../parts/card.tsx";
import { Curve } from "../../parts/curve.tsx";
import type { TimeWindow } from "../../parts/time-window.ts";
import { useLoaded } from "../../parts/use-loaded.ts";
import { curveOfLevels, formatDecibels, levelMarks } from "./level-curve.ts";

const points = 400;
/** The window changes with each turn of a wheel. */
const settleMs = 400;

interface LevelsCardProps {
  device: string;
  window: TimeWindow;
  version: number;
}

export function LevelsCard({ device, window, version }: LevelsCardProps): JSX.Element | null {
  const settled = useSettled(window);
  const key = `levels ${device} ${settled.fromMs} ${settled.toMs} ${version}`;
  const { value: levels } = useLoaded(key, (signal) => loadLevels(device, settled, points, signal));
  const data = useMemo(() => levels && curveOfLevels(levels), [levels]);
  if (data === undefined) return null;
  return (
    <Card title="Level" note="dBFS" isWide>
      <Curve
        label={`How loud ${device} was`}
        data={data}
        marks={levelMarks}
        format={formatDecibels}
        heightPx={160}
      />
    </Card>
  );
}

/** The window, once it has not changed for a moment. */
function useSettled(window: TimeWindow): TimeWindow {
  const [settled, setSettled] = useState(window);
  useEffect(() => {
    const timer = setTimeout(setSettled, settleMs, window);
    return () => clearTimeout(timer);
  }, [window]);
  return settled;
}
