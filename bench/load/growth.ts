/** Whether a figure that should stay constant has grown. */

/** Allowed growth: a share of the figure plus an absolute amount. */
export interface Allowance {
  share: number;
  absolute: number;
}

export interface Growth {
  name: string;
  /** Medians of the second and the last fifth of the time. */
  early: number;
  late: number;
  /** The allowed maximum of `late`. */
  max: number;
  grew: boolean;
}

/**
 * Compares the second fifth of the samples with the last. Skips the first fifth, because a program grows to its usual
 * size after its start. Needs at least 5 samples.
 */
export function growthOf(name: string, samples: number[], allowance: Allowance): Growth {
  if (samples.length < 5) throw new RangeError(`${samples.length} samples are too few for fifths`);
  const fifth = Math.floor(samples.length / 5);
  const early = median(samples.slice(fifth, 2 * fifth));
  const late = median(samples.slice(-fifth));
  const max = early * (1 + allowance.share) + allowance.absolute;
  return { name, early, late, max, grew: late > max };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor((sorted.length - 1) / 2);
  return (sorted[middle]! + sorted[sorted.length - 1 - middle]!) / 2;
}
