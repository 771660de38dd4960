/** Carries a plan out, in batches that are short enough for whoever else needs the keeper. */
import {
  maxRemovedBytesTogether,
  maxRemovedTogether,
  retentionRestFactor,
} from "../../base/limits/retention.ts";
import type { RemovedStreams, RetentionReason, UploadRef } from "../../store/keeper-calls.ts";
import type { Removal } from "./plan.ts";

/** What removes. Each leaves out what is in use, pinned, or another by now. */
export interface RunHost {
  removeStreams(streams: readonly UploadRef[], reason: RetentionReason): Promise<RemovedStreams>;
  removeRecordings(
    ids: readonly number[],
    reason: RetentionReason,
  ): Promise<{ ids: number[]; bytes: number }>;
  /** Called after each batch, before the rest. */
  removed(batch: readonly Removal[], count: number, bytes: number): Promise<void>;
  /** Somebody waits for room. */
  isUrgent(): boolean;
}

export class RetentionRun {
  readonly #host: RunHost;
  #batch: Removal[] = [];
  #batchBytes = 0;
  #wake: () => void = () => {};
  #isStopped = false;

  constructor(host: RunHost) {
    this.#host = host;
  }

  /** Removes what the plan yields. Rejects with the keeper's error. */
  async execute(removals: AsyncIterable<Removal>): Promise<void> {
    for await (const removal of removals) {
      if (this.#isStopped) return;
      if (!this.#fits(removal)) await this.#removeBatch();
      this.#batch.push(removal);
      this.#batchBytes += removal.freedBytes;
    }
    if (!this.#isStopped) await this.#removeBatch();
  }

  /** Ends a rest, since somebody waits for room. */
  hurry(): void {
    this.#wake();
  }

  /** Ends the run after the batch that is being removed. */
  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  #fits({ kind, reason }: Removal): boolean {
    const first = this.#batch[0];
    if (first === undefined) return true;
    const isAlike = first.kind === kind && first.reason === reason;
    return isAlike && this.#batch.length < maxRemovedTogether && this.#batchBytes < maxRemovedBytesTogether;
  }

  async #removeBatch(): Promise<void> {
    const batch = this.#batch;
    const first = batch[0];
    if (first === undefined) return;
    this.#batch = [];
    this.#batchBytes = 0;
    const startedAtMs = performance.now();
    const { count, bytes } = await (first.kind === "streams"
      ? this.#removeStreams(batch)
      : this.#removeRecordings(batch));
    await this.#host.removed(batch, count, bytes);
    await this.#rest((performance.now() - startedAtMs) * retentionRestFactor);
  }

  async #removeStreams(batch: readonly Removal[]): Promise<{ count: number; bytes: number }> {
    const refs = batch.map(({ candidate: { name: streamId, key } }) => ({ streamId, key }));
    const { streamIds, objects } = await this.#host.removeStreams(refs, reasonOf(batch));
    return { count: streamIds.length, bytes: objects.reduce((sum, object) => sum + object.bytes, 0) };
  }

  async #removeRecordings(batch: readonly Removal[]): Promise<{ count: number; bytes: number }> {
    const { ids, bytes } = await this.#host.removeRecordings(
      batch.map(({ candidate }) => Number(candidate.id)),
      reasonOf(batch),
    );
    return { count: ids.length, bytes };
  }

  async #rest(ms: number): Promise<void> {
    if (this.#isStopped || this.#host.isUrgent()) return;
    const rest = Promise.withResolvers<void>();
    this.#wake = rest.resolve;
    const timer = setTimeout(rest.resolve, ms);
    await rest.promise;
    clearTimeout(timer);
  }
}

/** As events have it. A batch has one reason. */
function reasonOf(batch: readonly Removal[]): RetentionReason {
  return batch[0]!.reason === "max-age" ? "age" : "limit";
}
