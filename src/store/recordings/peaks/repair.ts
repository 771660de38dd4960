/** Makes the peaks of recordings that have none, or whose `.dat` or `.lvl` is missing or cut, again from their samples. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { toWavecacheError } from "../../../base/errors.ts";
import { basePixelSamples } from "../../../base/limits/peaks.ts";
import { datHeaderBytes } from "../../../codec/peaks/dat.ts";
import { levelBlockFrames, levelBytes, levelsHeaderBytes } from "../../../codec/peaks/levels.ts";
import { isMissing } from "../../layout.ts";
import type { Catalog } from "../../streams/catalog.ts";
import type { RecordingRow } from "../catalog.ts";
import { isHere } from "../place.ts";
import type { PeakCatalog } from "./catalog.ts";
import { measureInPieces } from "./measure.ts";
import { levelsPath, peaksPath } from "./files.ts";

type PeakTransactions = Pick<Catalog, "transaction"> & { readonly overviews: PeakCatalog };

export class PeakRepair {
  readonly #catalog: PeakTransactions;

  constructor(catalog: PeakTransactions) {
    this.#catalog = catalog;
  }

  /** Returns why the peaks of one could not be made; undefined if all are there. */
  async run(folder: string, recordings: RecordingRow[]): Promise<string | undefined> {
    for (const recording of recordings) {
      if (
        recording.missing?.includes("wav") ||
        !isHere(recording) ||
        (await this.#isWhole(folder, recording))
      )
        continue;
      const problem = await this.#measure(folder, recording);
      // A full disk, which the next ones would meet as well.
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  async #isWhole(folder: string, recording: RecordingRow): Promise<boolean> {
    const { name, samples, channels, sampleRate } = recording;
    const path = join(folder, name);
    const pixels = Math.ceil(samples / basePixelSamples);
    const blocks = Math.ceil(samples / levelBlockFrames(sampleRate));
    return (
      this.#catalog.overviews.has(recording) &&
      (await sizeOf(peaksPath(path))) === datHeaderBytes + 4 * channels * pixels &&
      (await sizeOf(levelsPath(path))) === levelsHeaderBytes + levelBytes * blocks
    );
  }

  async #measure(folder: string, recording: RecordingRow): Promise<string | undefined> {
    try {
      const peaks = await measureInPieces(join(folder, recording.name));
      if (peaks === undefined) return undefined;
      this.#catalog.transaction(() => this.#catalog.overviews.enter(recording, peaks), false);
      return peaks.problem;
    } catch (error) {
      return toWavecacheError(error).message;
    }
  }
}

/** In bytes; 0 for a file that is not there. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}
