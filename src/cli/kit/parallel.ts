/** Runs many jobs with bounded concurrency. */
import { ClientError, type ClientErrorCode } from "../../client/errors.ts";
import { Interrupted } from "./failures.ts";

export interface Failed<J> {
  job: J;
  error: unknown;
}

export interface Outcomes<J, R> {
  done: R[];
  failed: Failed<J>[];
  /** Jobs that never started because the server had become unreachable. */
  skipped: number;
}

/** Merges the progress of many jobs into one sum; each call makes the callback of one job. */
export function sharedProgress(onProgress: (bytes: number) => void): () => (bytes: number) => void {
  let sum = 0;
  return () => {
    let last = 0;
    return (bytes) => {
      sum += bytes - last;
      last = bytes;
      onProgress(sum);
    };
  };
}

/** After one of these errors, the remaining jobs would fail the same way. */
const unreachableCodes: ReadonlySet<ClientErrorCode> = new Set([
  "BAD_URL",
  "UNREACHABLE",
  "CONNECT_TIMEOUT",
  "CONNECTION_LOST",
  "CLOSED",
]);

function isUnreachable(error: unknown): boolean {
  return error instanceof ClientError && unreachableCodes.has(error.code);
}

/**
 * Runs the jobs, up to `parallel` at a time. A failed job does not stop the others, but an unreachable server skips the
 * rest. Throws the signal's reason if the user interrupts.
 */
export async function runParallel<J, R>(
  jobs: readonly J[],
  parallel: number,
  signal: AbortSignal,
  run: (job: J) => Promise<R>,
  onFailure: (failed: Failed<J>) => void,
): Promise<Outcomes<J, R>> {
  const outcomes: Outcomes<J, R> = { done: [], failed: [], skipped: 0 };
  const queue = jobs.values();
  const runQueued = async () => {
    for (const job of queue) {
      if (signal.aborted) return;
      try {
        outcomes.done.push(await run(job));
      } catch (error) {
        if (error instanceof Interrupted || signal.aborted) return;
        outcomes.failed.push({ job, error });
        onFailure({ job, error });
        if (isUnreachable(error)) outcomes.skipped += [...queue].length;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, jobs.length) }, runQueued));
  signal.throwIfAborted();
  return outcomes;
}
