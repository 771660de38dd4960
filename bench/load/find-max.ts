/**
 * Searches the largest load that holds: doubles the load until one fails, then halves the gap. Retries a failed load
 * once, so that a hiccup of the machine does not decide.
 */

export interface Attempt {
  streams: number;
  /** `generator`: it failed, or might have failed, because the load generator could not keep its pace. */
  outcome: "held" | "failed" | "generator";
  /** Why it failed; empty if it held. */
  why: string;
}

export interface SearchBounds {
  /** The first load and the largest to try. */
  from: number;
  max: number;
  /** Stop once the gap is this share of the load that holds. */
  precision: number;
  maxAttempts: number;
  /** Starts no attempt after this. */
  isTimeUp: () => boolean;
}

export interface SearchResult<A extends Attempt> {
  attempts: A[];
  /** The largest load that held, and the smallest that failed. */
  best: A | undefined;
  limit: A | undefined;
  /** False if attempts or time ran out before the gap was small. */
  isComplete: boolean;
}

export async function findMax<A extends Attempt>(
  bounds: SearchBounds,
  attempt: (streams: number) => Promise<A>,
): Promise<SearchResult<A>> {
  const result: SearchResult<A> = { attempts: [], best: undefined, limit: undefined, isComplete: false };
  const mayTry = () => result.attempts.length < bounds.maxAttempts && !bounds.isTimeUp();
  let next: number | undefined = Math.min(bounds.from, bounds.max);
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

/** Undefined when the search has ended. */
function nextLoad(
  { max, precision }: SearchBounds,
  held: number,
  failed: number | undefined,
): number | undefined {
  if (failed === undefined) return held >= max ? undefined : Math.min(max, held * 2);
  const gap = failed - held;
  return gap <= Math.max(1, held * precision) ? undefined : held + Math.floor(gap / 2);
}
