/** What retention never removes, because somebody said so. */
import { WavecacheError } from "../../base/errors.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { PinnedRange } from "../../store/retention/catalog.ts";

export class Pins {
  readonly #keeper: Pick<KeeperClient, "call">;

  constructor(keeper: Pick<KeeperClient, "call">) {
    this.#keeper = keeper;
  }

  /** Pins or unpins a finished stream. Rejects with STREAM_UNKNOWN, STREAM_UNFINISHED. */
  async pinStream(streamId: string, isPinned: boolean): Promise<void> {
    await this.#keeper.call("pinStream", { streamId, isPinned });
  }

  /** Rejects with RECORDING_UNKNOWN. */
  async pinRecording(id: number, isPinned: boolean): Promise<void> {
    await this.#keeper.call("pinRecording", { id, isPinned });
  }

  /** Pins what a device records, or has recorded, in this time; or unpins that part. Rejects with PINS_EXHAUSTED. */
  async pinRange(range: PinnedRange, isPinned: boolean): Promise<void> {
    if (range.from >= range.to) throw new WavecacheError("BAD_REQUEST", "the range is empty");
    await this.#keeper.call("pinRange", { range, isPinned });
  }

  pinnedRanges(): Promise<PinnedRange[]> {
    return this.#keeper.call("pinnedRanges", null);
  }
}
