/** Starts the worker threads of every kind. */
import { replacementEnvironment } from "../base/failpoint.ts";

export interface WorkerSettings {
  entry: URL;
  name: string;
  /** The worker takes the place of a dead one. It gets no fail points, or it would die of them too. */
  isReplacement: boolean;
}

/** `onEnd` is called once, when the worker has ended for whatever reason; `reason` is for the log. */
export function startWorker(settings: WorkerSettings, onEnd: (reason: string) => void): Worker {
  const { entry, name, isReplacement } = settings;
  const worker = new Worker(
    entry,
    isReplacement ? { name, env: definedOnly(replacementEnvironment()) } : { name },
  );
  let reason = `${name} ended`;
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    reason = `${name} threw: ${event.message}`;
  });
  worker.addEventListener("close", () => onEnd(reason));
  return worker;
}

function definedOnly(environment: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
