/** Whether a figure that should stay the same has grown. */

/** By how much a figure may be higher at the end: by a share of it, and by something on top. */
export interface Allowance {
  share: number;
  absolute: number;
}

export interface Growth {
  name: string;
  /** Medians of the second and the last fifth of the time. */
  early: number;
  late: number;
  /** What `late` may be at most. */
  most: number;
  grew: boolean;
}

/**
 * Compares the second fifth of the samples with the last: the first is left out, because a program that has just started
 * grows to its usual size. At least 5 samples.
 */
export function growthOf(name: string, samples: number[], allowance: Allowance): Growth {
  if (samples.length < 5) throw new RangeError(`${samples.length} samples have no fifths`);
  const fifth = Math.floor(samples.length / 5);
  const early = median(samples.slice(fifth, 2 * fifth));
  const late = median(samples.slice(-fifth));
  const most = early * (1 + allowance.share) + allowance.absolute;
  return { name, early, late, most, grew: late > most };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor((sorted.length - 1) / 2);
  return (sorted[middle]! + sorted[sorted.length - 1 - middle]!) / 2;
}
