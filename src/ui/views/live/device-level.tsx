/**
 * The level of a device, now and in the last minute. Levels come ten times a second, and each of these components depends
 * on one of them alone: a page with a hundred devices draws a hundred meters again, and nothing around them.
 */
import type { JSX } from "preact";
import type { LiveDevice } from "../../api/live-levels.ts";
import { formatDecibels } from "../../parts/format.ts";
import { Meter } from "../../parts/meter.tsx";
import { Sparkline } from "../../parts/sparkline.tsx";

const shownSeconds = 60;

/** A meter, and its figure beside it. */
export function DeviceLevel({ device: { name, level } }: { device: LiveDevice }): JSX.Element {
  const { peak, rms, clipped } = level.value;
  return (
    <>
      <Meter label={`Level of ${name}`} peak={peak} rms={rms} isClipped={clipped > 0} />
      <span class="figure muted live-figure">{formatDecibels(rms)}</span>
    </>
  );
}

export function DeviceHistory({ device: { name, history } }: { device: LiveDevice }): JSX.Element {
  const label = `Peaks of ${name} in the last minute`;
  return <Sparkline label={label} values={history.value} min={-60} max={0} length={shownSeconds} />;
}

/** Nothing unless samples are clipped now. */
export function ClippingBadge({ device: { level } }: { device: LiveDevice }): JSX.Element | null {
  return level.value.clipped > 0 ? <span class="badge danger">Clips</span> : null;
}
