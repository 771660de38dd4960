/** A level meter: RMS as a bar, peak as a line, red where samples were clipped. */
import type { JSX } from "preact";

const floorDbfs = -60;

interface MeterProps {
  label: string;
  /** dBFS; undefined while nothing is known. */
  peak: number | undefined;
  rms: number | undefined;
  isClipped?: boolean;
}

export function Meter({ label, peak, rms, isClipped = false }: MeterProps): JSX.Element {
  const text = rms === undefined ? "no level" : `${Math.round(rms)} dBFS`;
  return (
    <div
      class={isClipped ? "meter clipped" : "meter"}
      role="meter"
      aria-label={label}
      aria-valuemin={floorDbfs}
      aria-valuemax={0}
      aria-valuenow={Math.max(floorDbfs, Math.round(rms ?? floorDbfs))}
      aria-valuetext={text}
    >
      <div class="meter-rms" style={{ transform: `scaleX(${shareOf(rms)})` }} />
      <div class="meter-peak" style={{ insetInlineStart: `${shareOf(peak) * 100}%` }} />
    </div>
  );
}

function shareOf(dbfs: number | undefined): number {
  if (dbfs === undefined) return 0;
  return Math.min(1, Math.max(0, 1 - dbfs / floorDbfs));
}
