/** The keeper's part in what dead nodes have left. */
import { nodesOf } from "../elsewhere.ts";
import { recordingRemoved, streamExpired } from "../events/facts.ts";
import type { KeeperArgs, KeeperResult } from "../keeper-calls.ts";
import type { Candidate } from "../retention/catalog.ts";
import type { RecordingCatalog } from "../recordings/catalog.ts";
import type { Catalog } from "../streams/catalog.ts";
import type { AbandonedRows } from "./abandoned.ts";

type Transactions = Pick<Catalog, "events" | "find" | "transaction"> & {
  readonly abandoned: AbandonedRows;
  readonly recordings: Pick<RecordingCatalog, "find">;
};

export class AbandonedKeeper {
  readonly #catalog: Transactions;

  constructor(catalog: Transactions) {
    this.#catalog = catalog;
  }

  candidates(query: KeeperArgs<"abandoned">): Candidate[] {
    return this.#catalog.abandoned.candidates(query);
  }

  /** Results in the ids of those that it removed, each in a transaction of its own: their nodes differ. */
  expire({ kind, candidates, at }: KeeperArgs<"expireAbandoned">): KeeperResult<"expireAbandoned"> {
    const expire = (each: Candidate) =>
      kind === "streams" ? this.#expireStream(each, at) : this.#expireRecording(Number(each.id));
    return candidates.filter(expire).map(({ id }) => id);
  }

  /** Results in the ids of those that it removed. */
  expireUploads({ deadMs, limit, at }: KeeperArgs<"expireAbandonedUploads">): string[] {
    const removed = this.#catalog.abandoned.uploads(deadMs, limit).filter((row) => {
      const expire = () => {
        if (!this.#catalog.abandoned.removeUpload(row)) return false;
        streamExpired(this.#catalog.events, row, "idle", at);
        return true;
      };
      return this.#catalog.transaction(expire, false, nodesOf(row));
    });
    return removed.map(({ streamId }) => streamId);
  }

  #expireStream({ name: streamId, key }: Candidate, at: number): boolean {
    const row = this.#catalog.find(streamId);
    if (row === undefined) return false;
    const expire = () => {
      if (!this.#catalog.abandoned.removeStream({ streamId, key })) return false;
      streamExpired(this.#catalog.events, row, "age", at);
      return true;
    };
    return this.#catalog.transaction(expire, false, nodesOf(row));
  }

  #expireRecording(id: number): boolean {
    const row = this.#catalog.recordings.find(id);
    if (row === undefined) return false;
    const expire = () => {
      if (!this.#catalog.abandoned.removeRecording(id)) return false;
      recordingRemoved(this.#catalog.events, row, "age");
      return true;
    };
    return this.#catalog.transaction(expire, false, nodesOf(row));
  }
}
