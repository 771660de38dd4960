import type { JSX } from "preact";

interface SparklineProps {
  label: string;
  values: readonly number[];
  min: number;
  max: number;
  /** How many values fill the width; fewer stand at its end. */
  length: number;
}

const [width, height] = [100, 24];

/** A small curve of the last values. */
export function Sparkline({ label, values, min, max, length }: SparklineProps): JSX.Element {
  const points = values.map((value, index) => {
    const x = (width * (length - values.length + index)) / (length - 1);
    const share = Math.min(1, Math.max(0, (value - min) / (max - min)));
    return `${x.toFixed(1)},${(height - 1 - share * (height - 2)).toFixed(1)}`;
  });
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <line x1={0} y1={height - 0.5} x2={width} y2={height - 0.5} />
      <polyline points={points.join(" ")} />
    </svg>
  );
}
