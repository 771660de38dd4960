/** A finished stream as a song. It is read like any stream, so damaged audio fails the read. */
import * as fs from "node:fs/promises";
import { WavecacheError } from "../../base/errors.ts";
import type { FileRef, ReadSink } from "../../pool/reader.ts";
import { isMissing } from "../../store/layout.ts";
import { readInto } from "../streams/read-into.ts";
import type { Song } from "./song.ts";

/** Reads ranges of files. Every block that it returns has been verified. */
export interface RangeReader {
  /** Calls the sink only after this returns. */
  read(file: FileRef, offset: number, length: number, sink: ReadSink): void;
  /** The range if it is in memory. The view is valid until the next call. */
  resident(file: FileRef, offset: number, length: number): Uint8Array | undefined;
}

/** Rejects with OBJECT_MISSING or OBJECT_DAMAGED, before a client learns that there is such a song. */
export async function checkObject(path: string, size: number): Promise<void> {
  try {
    const stat = await fs.stat(path);
    if (!stat.isFile() || stat.size < size) throw new WavecacheError("OBJECT_DAMAGED", path);
  } catch (error) {
    if (isMissing(error)) throw new WavecacheError("OBJECT_MISSING", path);
    throw error;
  }
}

interface StreamOfSong {
  streamId: string;
  size: number;
  sha256: string;
}

export class StreamSong implements Song {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly #file: FileRef;
  readonly #reader: RangeReader;
  readonly #release: () => void;

  /** `release` says that the stream is not being read any more. */
  constructor(
    { streamId, size, sha256 }: StreamOfSong,
    file: FileRef,
    reader: RangeReader,
    release: () => void,
  ) {
    this.name = streamId;
    this.size = size;
    this.sha256 = sha256;
    this.#file = file;
    this.#reader = reader;
    this.#release = release;
  }

  async read(
    offset: number,
    length: number,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (offset < 0 || length < 0 || offset + length > this.size)
      throw new RangeError(`${offset}+${length} is not within ${this.size} bytes`);
    const bytes = into?.subarray(0, length) ?? new Uint8Array(length);
    if (length === 0) return bytes;
    const resident = this.#reader.resident(this.#file, offset, length);
    if (resident === undefined) await readInto(this.#reader, this.#file, offset, bytes);
    else bytes.set(resident);
    return bytes;
  }

  /** The catalog has the digest. */
  async noteDigest(): Promise<void> {}

  /** The reader keeps the file open for others. */
  async close(): Promise<void> {
    this.#release();
  }
}
