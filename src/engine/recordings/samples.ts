/**
 * Opens the samples of recordings, wherever they are: in the recordings folder, or in the archive, after their eviction
 * here or from another node.
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import type { Log } from "../../base/log/log.ts";
import type { RecordedWav } from "../../base/recording-entry.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { noArchive, requireHere } from "../../store/elsewhere.ts";
import type { MeasuredRef } from "../../store/recordings/peaks/files.ts";
import { isHere, type SamplesPlace } from "../../store/recordings/place.ts";
import type { SampledSegment } from "./by-time/written.ts";
import { WavFiles } from "./wav-files.ts";

/** The `.wav` of a recording, open. What is read is right, as far as that is known. */
export interface OpenedSamples {
  readonly size: number;
  /** Leads to the file while it is open; undefined if its pieces come as they are read. */
  readonly path: string | undefined;
  /** Reads exactly these bytes, to the beginning of `into` if it is given. */
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** `listener` is called when they are closed. */
  onClose(listener: () => void): void;
  close(): Promise<void>;
}

/** What recordings need of the archive. */
export interface SamplesArchive {
  /** Samples that the archive has. Nothing comes before the first read. */
  openSamples(wav: RecordedWav): OpenedSamples;
  /** Has levels and peaks of recordings that are not here. */
  readonly measuredFolder: string;
  /** Brings some there. Resolves with whether all are there; never rejects. */
  bringMeasured(refs: readonly MeasuredRef[]): Promise<boolean>;
}

interface SamplesHost {
  keeper: Pick<KeeperClient, "call">;
  /** Undefined without an archive. */
  archive: SamplesArchive | undefined;
  folder: string;
}

export class Samples {
  readonly #host: SamplesHost;
  readonly #log: Log;
  readonly #files: WavFiles;

  constructor(host: SamplesHost, log: Log) {
    this.#host = host;
    this.#log = log;
    this.#files = new WavFiles(host.folder, log);
  }

  close(): void {
    this.#files.close();
  }

  /** Throws AUDIO_ELSEWHERE if only another node has them, ARCHIVE_UNAVAILABLE if only the archive has them and it is off. */
  requireReadable(row: SamplesPlace): void {
    if (isHere(row)) return;
    if (row.archive === undefined) requireHere(row);
    if (this.#host.archive === undefined) throw new WavecacheError("ARCHIVE_UNAVAILABLE", noArchive);
  }

  /** Rejects as `requireReadable`, and with RECORDING_UNKNOWN, OBJECT_DAMAGED, or the system's error. */
  async open(row: SampledSegment): Promise<OpenedSamples> {
    this.requireReadable(row);
    const { archive } = this.#host;
    if (!isHere(row) && archive !== undefined && row.wav !== undefined) return archive.openSamples(row.wav);
    try {
      return await this.#files.open(row.name, row.wav);
    } catch (error) {
      return await this.#replacement(row, error);
    }
  }

  /** The file was evicted since the catalog was asked, or somebody has removed or changed it: then it goes. */
  async #replacement({ id, name, wav }: SampledSegment, error: unknown): Promise<OpenedSamples> {
    const { archive, keeper, folder } = this.#host;
    const { code } = toWavecacheError(error);
    const canReplace = code === "RECORDING_UNKNOWN" || code === "OBJECT_DAMAGED";
    if (!canReplace || archive === undefined || wav === undefined || id === undefined) throw error;
    const item = await keeper.call("archiveItem", { sha256: wav.sha256 });
    if (item?.isArchived !== true) throw error;
    if (code === "OBJECT_DAMAGED") await keeper.call("evictRecordings", { folder, ids: [id] });
    this.#log.debug("the samples of a recording are not here any more, and are read from the archive", {
      name,
    });
    return archive.openSamples(wav);
  }
}
