/**
 * Makes segments durable, at intervals, and enters the complete ones in the catalog. A segment that a sync has failed for is
 * written anew.
 */
import { maxUnenteredSegments } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { EndedConnection } from "../../store/recordings/timeline/catalog.ts";
import type { RecordingsFolder } from "./archive.ts";

/** The recordings whose segments are synced. */
export interface OpenSegments {
  /** Names of the segments that are not complete. */
  unfinished(): Iterable<string>;
  /** What is being recorded continues in new segments, since those of now are suspect. */
  splitAll(): void;
  /** Complete segments wait no longer: the catalog has them, or is left to find them at the next start. */
  entered(names: readonly string[]): void;
}

export class SegmentSync {
  readonly #keeper: KeeperClient;
  readonly #folder: RecordingsFolder;
  readonly #open: OpenSegments;
  readonly #log: Log;
  /** Complete segments that are not in the catalog yet, oldest first. */
  #unentered: RecordingEntry[] = [];
  /** Those of the sync in progress. */
  #entering: readonly RecordingEntry[] = [];
  /** Segments that a sync has failed for: Linux may have dropped what it could not write. */
  readonly #suspect = new Set<string>();
  /** Connections that ended since the last sync. */
  #ended: EndedConnection[] = [];

  constructor(keeper: KeeperClient, folder: RecordingsFolder, open: OpenSegments, log: Log) {
    this.#keeper = keeper;
    this.#folder = folder;
    this.#open = open;
    this.#log = log;
  }

  add(segment: RecordingEntry): void {
    this.#unentered.push(segment);
  }

  /** Complete segments that the catalog may not have yet. */
  get waiting(): readonly RecordingEntry[] {
    return [...this.#entering, ...this.#unentered];
  }

  connectionEnded(ended: EndedConnection): void {
    this.#ended.push(ended);
  }

  /** Calls must not overlap. A segment that is added meanwhile goes with the next one. */
  async sync(): Promise<void> {
    const closed = this.#unentered;
    const open = [...this.#open.unfinished()];
    const ended = this.#ended;
    if (closed.length + open.length + ended.length === 0 || !this.#folder.isThere) return;
    this.#entering = closed;
    this.#unentered = [];
    this.#ended = [];
    const names = closed.map(({ name }) => name);
    const suspect = names.filter((name) => this.#suspect.has(name));
    try {
      const args = { folder: this.#folder.path, open, closed, suspect, ended };
      const { losses } = await this.#keeper.call("syncRecordings", args);
      for (const name of suspect) this.#suspect.delete(name);
      this.#open.entered(names);
      for (const loss of losses)
        this.#log.error("audio of a recording was lost: its sync had failed", { ...loss });
    } catch (error) {
      this.#unentered = [...closed, ...this.#unentered];
      this.#ended = [...ended, ...this.#ended].slice(-maxUnenteredSegments);
      if (!this.#folder.noteLoss(error)) this.#failed(error, [...open, ...names]);
    } finally {
      this.#entering = [];
    }
  }

  /** Closed segments are written anew at the next sync, so what is being recorded continues in new ones. */
  #failed(error: unknown, names: readonly string[]): void {
    for (const name of names) this.#suspect.add(name);
    this.#open.splitAll();
    const left = this.#unentered.splice(0, Math.max(0, this.#unentered.length - maxUnenteredSegments));
    for (const { name } of left) this.#suspect.delete(name);
    this.#open.entered(left.map(({ name }) => name));
    this.#log.error("recordings could not be synced", {
      error,
      waiting: this.#unentered.length,
      leftToTheNextStart: left.length,
    });
  }
}
