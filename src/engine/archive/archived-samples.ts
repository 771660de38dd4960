/** The samples of a recording that the archive has: what is read of them is brought here first. */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import type { RecordedWav } from "../../base/recording-entry.ts";
import type { FileRef } from "../../pool/reader.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { OpenedSamples } from "../recordings/samples.ts";
import type { RangeReader } from "../songs/stream-song.ts";
import { readInto } from "../streams/read-into.ts";

export class ArchivedSamples implements OpenedSamples {
  readonly size: number;
  readonly path = undefined;
  readonly #file: FileRef;
  readonly #reader: RangeReader;
  readonly #forget: () => void;
  #onClose: () => void = () => {};

  /**
   * The reader brings audio by its SHA-256, whether it is that of a stream or of a recording. `forget` drops the pieces that
   * are here.
   */
  constructor(reader: RangeReader, layout: CacheLayout, { sha256, bytes }: RecordedWav, forget: () => void) {
    this.#reader = reader;
    this.#forget = forget;
    this.#file = { path: layout.objectPath(sha256), immutable: true, isArchived: true };
    this.size = bytes;
  }

  async read(
    offset: number,
    length: number,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = into?.subarray(0, length) ?? new Uint8Array(length);
    const resident = this.#reader.resident(this.#file, offset, length);
    if (resident === undefined) await this.#readMended(bytes, offset);
    else bytes.set(resident);
    return bytes;
  }

  /** A piece that was right when it came, and is damaged here, comes again. */
  async #readMended(bytes: Uint8Array, offset: number): Promise<void> {
    try {
      await readInto(this.#reader, this.#file, offset, bytes);
    } catch (error) {
      const { code, detail } = toWavecacheError(error);
      if (code === "STREAM_UNKNOWN") throw new WavecacheError("RECORDING_UNKNOWN", detail);
      if (code !== "OBJECT_DAMAGED") throw error;
      this.#forget();
      await readInto(this.#reader, this.#file, offset, bytes);
    }
  }

  onClose(listener: () => void): void {
    this.#onClose = listener;
  }

  async close(): Promise<void> {
    this.#onClose();
  }
}
