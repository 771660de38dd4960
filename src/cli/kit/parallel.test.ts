import { describe, expect, test } from "bun:test";
import { ClientError } from "../../client/errors.ts";
import { Interrupted } from "./failures.ts";
import { runParallel, sharedProgress } from "./parallel.ts";

const never = new AbortController().signal;
const jobs = Array.from({ length: 20 }, (_, i) => i);

describe("parallel jobs", () => {
  test("all run, up to the limit at a time", async () => {
    let running = 0;
    let maxRunning = 0;
    const run = async (job: number) => {
      maxRunning = Math.max(maxRunning, ++running);
      await Bun.sleep(1);
      running -= 1;
      return job * 2;
    };
    const { done, failed, skipped } = await runParallel(jobs, 3, never, run, () => undefined);
    expect(done.toSorted((a, b) => a - b)).toEqual(jobs.map((job) => job * 2));
    expect({ maxRunning, failed, skipped }).toEqual({ maxRunning: 3, failed: [], skipped: 0 });
  });

  test("that fail do not stop the others, but an unreachable server skips the rest", async () => {
    const faults = new Map([
      [4, new ClientError("REFUSED")],
      [9, new ClientError("UNREACHABLE")],
    ]);
    const run = async (job: number) => {
      const fault = faults.get(job);
      if (fault !== undefined) throw fault;
      return job;
    };
    const seen: number[] = [];
    const { done, failed, skipped } = await runParallel(
      jobs,
      1,
      never,
      run,
      ({ job }) => void seen.push(job),
    );
    expect(done).toEqual([0, 1, 2, 3, 5, 6, 7, 8]);
    expect(failed.map(({ job }) => job)).toEqual([4, 9]);
    expect({ seen, skipped }).toEqual({ seen: [4, 9], skipped: 10 });
  });

  test("end when the user interrupts, and report no failures", async () => {
    const stop = new AbortController();
    const reason = new Interrupted("SIGINT");
    const failures: unknown[] = [];
    const run = async (job: number) => {
      if (job === 3) stop.abort(reason);
      stop.signal.throwIfAborted();
      return job;
    };
    const outcome = runParallel(jobs, 2, stop.signal, run, (failed) => void failures.push(failed));
    expect(await outcome.catch((error: unknown) => error)).toBe(reason);
    expect(failures).toEqual([]);
  });
});

test("the progress of many jobs is the sum of theirs", () => {
  const seen: number[] = [];
  const progress = sharedProgress((bytes) => void seen.push(bytes));
  const [a, b] = [progress(), progress()];
  a(5);
  b(10);
  a(7);
  b(2);
  expect(seen).toEqual([5, 15, 17, 9]);
});
