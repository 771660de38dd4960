/**
 * Shared by the micro benches. Rounds alternate over all cases and the best of each counts, since other load on the
 * machine only makes a round slower. `--quick` runs everything once on tiny inputs.
 */

export const quick = process.argv.includes("--quick");
const roundMs = quick ? 1 : 200;
const rounds = quick ? 1 : 5;

/** `run` does some of the work and returns the amount, in the unit of the case. */
export interface Case {
  name: string;
  run: () => number | Promise<number>;
  /** Formats the amount per second. */
  show: (perSecond: number) => string;
}

/** Runs the cases and prints a line for each. */
export async function compare(title: string, cases: Case[]): Promise<void> {
  const best = cases.map(() => 0);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { run }] of cases.entries()) best[index] = Math.max(best[index]!, await rate(run));
  }
  process.stdout.write(`${title}\n`);
  const width = Math.max(...cases.map(({ name }) => name.length));
  cases.forEach(({ name, show }, index) => {
    process.stdout.write(`  ${name.padEnd(width)}  ${show(best[index]!)}\n`);
  });
}

/** The amount per second of `run`. */
async function rate(run: Case["run"]): Promise<number> {
  const began = performance.now();
  let done = 0;
  let elapsedMs: number;
  do {
    const amount = run();
    done += typeof amount === "number" ? amount : await amount;
    elapsedMs = performance.now() - began;
  } while (elapsedMs < roundMs);
  return (done / elapsedMs) * 1000;
}

/** Formats a rate as "12.34 M/s". */
export function millions(what: string): (perSecond: number) => string {
  return (perSecond) => `${(perSecond / 1e6).toFixed(2).padStart(8)} M ${what}/s`;
}
