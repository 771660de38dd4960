/** Many jobs, some of them at a time. */
import { ClientError, type ClientErrorCode } from "../../client/errors.ts";
import { Interrupted } from "./failures.ts";

export interface Failed<J> {
  job: J;
  error: unknown;
}

export interface Outcomes<J, R> {
  done: R[];
  failed: Failed<J>[];
  /** Never begun, because none would have gone better than the last one. */
  skipped: number;
}

/** Makes one progress of many: each call gives one of them a place in the sum. */
export function sumOf(onProgress: (bytes: number) => void): () => (bytes: number) => void {
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

/** A server that was not there for one will not be there for the next. */
const hopeless: ReadonlySet<ClientErrorCode> = new Set([
  "BAD_URL",
  "UNREACHABLE",
  "CONNECT_TIMEOUT",
  "CONNECTION_LOST",
  "CLOSED",
]);

/**
 * Does the jobs, `parallel` at a time. One that fails leaves the others alone, unless the server is gone. Throws when the
 * user interrupts.
 */
export async function sideBySide<J, R>(
  jobs: readonly J[],
  parallel: number,
  signal: AbortSignal,
  run: (job: J) => Promise<R>,
  onFailure: (failed: Failed<J>) => void,
): Promise<Outcomes<J, R>> {
  const outcomes: Outcomes<J, R> = { done: [], failed: [], skipped: 0 };
  let next = 0;
  const lane = async () => {
    while (next < jobs.length && !signal.aborted) {
      const job = jobs[next++];
      if (job === undefined) return;
      try {
        outcomes.done.push(await run(job));
      } catch (error) {
        if (error instanceof Interrupted || signal.aborted) return;
        outcomes.failed.push({ job, error });
        onFailure({ job, error });
        if (error instanceof ClientError && hopeless.has(error.code)) {
          outcomes.skipped += jobs.length - next;
          next = jobs.length;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, jobs.length) }, lane));
  signal.throwIfAborted();
  return outcomes;
}
