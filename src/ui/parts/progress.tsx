import type { JSX } from "preact";

interface ProgressProps {
  label: string;
  done: number;
  /** Undefined while the end is unknown. */
  total: number | undefined;
  kind?: "plain" | "warn" | "danger";
}

export function Progress({ label, done, total, kind = "plain" }: ProgressProps): JSX.Element {
  const share = total === undefined || total === 0 ? undefined : Math.min(1, done / total);
  const now = share === undefined ? {} : { "aria-valuenow": Math.round(share * 100) };
  return (
    <div
      class={share === undefined ? "progress unknown" : `progress ${kind}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...now}
    >
      <div style={{ transform: `scaleX(${share ?? 1})` }} />
    </div>
  );
}
