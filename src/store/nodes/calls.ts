/** The calls to the keeper about what nodes leave each other; see keeper-calls.ts. */
import type { Candidate, RetainedKind } from "../retention/catalog.ts";
import type { AbandonedQuery } from "./abandoned.ts";
import type { WorkedOffStreams } from "./stream-tasks.ts";

export interface NodeCalls {
  /** What dead nodes have left, and may be removed. */
  abandoned: [args: AbandonedQuery, result: Candidate[]];
  /** Removes streams or recordings of dead nodes from the catalog. Results in the ids of those that it removed. */
  expireAbandoned: [
    args: { kind: RetainedKind; candidates: Candidate[]; at: number },
    result: (string | number)[],
  ];
  /** Removes unfinished uploads of nodes that have been dead for so long. */
  expireAbandonedUploads: [args: { deadMs: number; limit: number; at: number }, result: string[]];
  /** Works off what other nodes have changed about streams of this one (nodes/tasks.ts). */
  streamTasks: [args: { limit: number }, result: WorkedOffStreams];
  /** The same about recordings. */
  recordingTasks: [args: { folder: string; limit: number }, result: { removed: number; isLast: boolean }];
  /** Looks at once for what other nodes have changed. */
  lookForNews: [args: null, result: null];
}
