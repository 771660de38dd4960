/** The keeper's part in retention: what it answers from the catalog. It removes nothing by itself. */
import { WavecacheError } from "../../base/errors.ts";
import { maxPinnedRanges, usageHistoryMs } from "../../base/limits/retention.ts";
import type { KeeperArgs, KeeperResult } from "../keeper-calls.ts";
import type { RecordingCatalog } from "../recordings/catalog.ts";
import type { Catalog } from "../streams/catalog.ts";
import type { RetentionCatalog } from "./catalog.ts";

type Catalogs = Pick<Catalog, "find" | "totals"> & {
  readonly recordings: RecordingCatalog;
  readonly retention: RetentionCatalog;
};

export class RetentionKeeper {
  readonly #catalog: Catalogs;
  readonly #retention: RetentionCatalog;

  constructor(catalog: Catalogs) {
    this.#catalog = catalog;
    this.#retention = catalog.retention;
  }

  candidates(query: KeeperArgs<"retentionCandidates">): KeeperResult<"retentionCandidates"> {
    return this.#retention.candidates(query);
  }

  measure({ kind, after, limit }: KeeperArgs<"measureRetained">): KeeperResult<"measureRetained"> {
    return this.#retention.measure(kind, after, limit);
  }

  usage(): KeeperResult<"retentionUsage"> {
    return {
      streams: this.#catalog.totals(),
      recordings: this.#retention.recordingTotals(),
      samples: this.#retention.samples(),
    };
  }

  sample({ at, unenteredBytes }: KeeperArgs<"sampleUsage">): null {
    const { objectBytes, unfinishedBytes } = this.#catalog.totals();
    const recordingBytes = this.#retention.recordingTotals().bytes + unenteredBytes;
    const streamBytes = objectBytes + unfinishedBytes;
    this.#retention.addSample({ at, streamBytes, recordingBytes }, at - usageHistoryMs);
    return null;
  }

  noteReads({ streams, recordings }: KeeperArgs<"noteReads">): null {
    this.#retention.noteReads("streams", streams);
    this.#retention.noteReads("recordings", recordings);
    return null;
  }

  /** Throws STREAM_UNKNOWN, STREAM_UNFINISHED. */
  pinStream({ streamId, isPinned }: KeeperArgs<"pinStream">): null {
    if (this.#retention.pinStream(streamId, isPinned)) return null;
    const isThere = this.#catalog.find(streamId) !== undefined;
    throw new WavecacheError(isThere ? "STREAM_UNFINISHED" : "STREAM_UNKNOWN");
  }

  /** Throws RECORDING_UNKNOWN. */
  pinRecording({ id, isPinned }: KeeperArgs<"pinRecording">): null {
    if (this.#retention.pinRecording(id, isPinned)) return null;
    throw new WavecacheError("RECORDING_UNKNOWN");
  }

  /** Throws PINS_EXHAUSTED; the change then counts as not made. */
  pinRange({ range, isPinned }: KeeperArgs<"pinRange">): null {
    const before = this.#retention.pinnedRanges().length;
    // A range that is cut in two adds one more, which must not keep anybody from unpinning.
    if (isPinned && before >= maxPinnedRanges) throw new WavecacheError("PINS_EXHAUSTED");
    this.#retention.pinRange(range, isPinned);
    return null;
  }

  pinnedRanges(): KeeperResult<"pinnedRanges"> {
    return this.#retention.pinnedRanges();
  }
}
