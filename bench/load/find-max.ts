/**
 * Searches the largest load that holds: doubles it until one does not, then halves the gap between the two. A load that
 * does not hold is tried once more, so that one hiccup of the machine does not decide.
 */

export interface Attempt {
  streams: number;
  /** `generator`: it did not hold, or might not have, because the load generator could not keep its pace. */
  outcome: "held" | "failed" | "generator";
  /** What did not hold, in words; empty if all did. */
  why: string;
}

export interface SearchBounds {
  /** The load to begin with, and the most that is tried. */
  from: number;
  most: number;
  /** The gap is small enough at this share of the load that holds. */
  precision: number;
  maxAttempts: number;
  /** No further attempt is begun. */
  isTimeUp: () => boolean;
}

export interface SearchResult<A extends Attempt> {
  attempts: A[];
  /** The largest that held, and the smallest that did not. */
  best: A | undefined;
  limit: A | undefined;
  /** False if attempts or time were used up before the gap was small. */
  isComplete: boolean;
}

export async function findMax<A extends Attempt>(
  bounds: SearchBounds,
  attempt: (streams: number) => Promise<A>,
): Promise<SearchResult<A>> {
  const result: SearchResult<A> = { attempts: [], best: undefined, limit: undefined, isComplete: false };
  const mayTry = () => result.attempts.length < bounds.maxAttempts && !bounds.isTimeUp();
  let next: number | undefined = Math.min(bounds.from, bounds.most);
  while (next !== undefined && mayTry()) {
    let tried = await attempt(next);
    result.attempts.push(tried);
    if (tried.outcome !== "held" && mayTry()) {
      tried = await attempt(next);
      result.attempts.push(tried);
    }
    if (tried.outcome === "held") result.best = tried;
    else result.limit = tried;
    next = nextLoad(bounds, result.best?.streams ?? 0, result.limit?.streams);
  }
  return { ...result, isComplete: next === undefined };
}

/** Undefined when the search is over. */
function nextLoad(
  { most, precision }: SearchBounds,
  held: number,
  failed: number | undefined,
): number | undefined {
  if (failed === undefined) return held >= most ? undefined : Math.min(most, held * 2);
  const gap = failed - held;
  return gap <= Math.max(1, held * precision) ? undefined : held + Math.floor(gap / 2);
}
