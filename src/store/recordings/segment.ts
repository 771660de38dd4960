/**
 * One segment of a recording: `NAME.bin` has the frames as received, `NAME.wav` the decoded samples. A writer thread
 * owns it. `NAME.dat` has the peaks and `NAME.lvl` the levels (peaks/), which are made again if they are lost. A crash right after
 * a step leaves:
 *
 *     1  the files are created, the .wav with its header   no frame: repair removes both
 *     2  frames, then samples are appended, in batches     perhaps a torn frame, and no sizes in the header: repair
 *                                                          truncates the frame and writes the sizes
 *     3  the sizes are written into the header             a whole pair that is not in the catalog: repair enters it
 *     4  both files are synced with their group            the same
 *     5  the catalog has the segment                       a finished recording
 *
 * The keeper does steps 4 and 5 (keeper.ts); repair is in repair.ts. A power cut may undo the steps since the last
 * step 4. A failed append is rolled back from both files, so that they never end at different frames.
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import type { Placement, RecordedFile, RecordedPeaks, RecordedWav } from "../../base/recording-entry.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../codec/wav/wav.ts";
import type { AppendBuffer } from "./append-buffer.ts";
import { createFolder, isMissing, removeFile } from "../layout.ts";
import { removeBeside } from "./peaks/files.ts";
import { WavDigest } from "./wav-digest.ts";

/** The content of a segment; `samples` counts per channel. */
export interface SegmentCounts {
  frames: number;
  samples: number;
  gaps: number;
  lostFrames: number;
}

/** Numbered names to try for one stream and second; after this many the segment fails to open. */
const maxNameAttempts = 10_000;

export class Segment {
  /** Relative to the folder of recordings, without extension. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  endedAt: number;
  /** Undefined if a file failed: then the samples that were measured are not those that were written. */
  peaks: RecordedPeaks | undefined;
  /** Final once the segment is finished. */
  placement: Placement;
  /** As in `StartedSegment`; undefined if the first frame was on time. */
  readonly latePlacement: Placement | undefined;
  /** Frames that were lost between the segment before and this one, which counts them. */
  readonly lostBefore: number;
  readonly counts: SegmentCounts = { frames: 0, samples: 0, gaps: 0, lostFrames: 0 };
  readonly #path: string;
  readonly #bin: number;
  readonly #wav: number;
  readonly #format: WavShape;
  readonly #binHash = new Bun.CryptoHasher("sha256");
  /** Created only after the `.wav` is finished: thousands of segments may be open, and a hasher takes memory. */
  #wavDigest: WavDigest | undefined;
  /** `counts` after the last append that succeeded; `#binBytes` and `#wavBytes` match it. */
  #saved: SegmentCounts = { ...this.counts };
  #binBytes = 0;
  #wavBytes = wavHeaderBytes;
  #hashedBytes = 0;
  #isClosed = false;

  private constructor(
    pair: OpenPair,
    folder: string,
    format: WavShape,
    { startedAt, placement, latePlacement, lostBefore }: SegmentStart,
  ) {
    this.name = pair.name;
    this.#path = join(folder, pair.name);
    this.#bin = pair.bin;
    this.#wav = pair.wav;
    this.#format = format;
    this.startedAt = startedAt;
    this.endedAt = startedAt;
    this.placement = placement;
    this.latePlacement = latePlacement;
    this.lostBefore = lostBefore;
  }

  /**
   * Creates both files under `name`, which is relative to `folder`. If the name exists, tries `name_2`, `name_3` and
   * so on.
   */
  static open(folder: string, name: string, format: WavShape, start: SegmentStart): Segment {
    failpoint("record.open");
    return new Segment(openPair(folder, name, format), folder, format, start);
  }

  /** The path of the files, without extension. */
  get path(): string {
    return this.#path;
  }

  /** Bytes of the larger file. */
  get fileBytes(): number {
    return Math.max(this.#binBytes, this.#wavBytes);
  }

  /** Points the stream's buffers at these files. */
  adopt(bin: AppendBuffer, wav: AppendBuffer): void {
    bin.startFile(0);
    wav.startFile(wavHeaderBytes);
  }

  /** Appends the unwritten bytes; the caller then calls `markWritten` on both buffers. Throws the system's error. */
  append(bin: AppendBuffer, wav: AppendBuffer): void {
    failpoint("record.write");
    bin.writeTo(this.#bin);
    wav.writeTo(this.#wav);
    this.#binHash.update(bin.unwritten());
    this.#binBytes += bin.unwrittenBytes;
    this.#wavBytes += wav.unwrittenBytes;
    this.#saved = { ...this.counts };
  }

  /** Rolls a failed append back. If no append succeeded before it, removes the files and returns false. */
  rollBack(): boolean {
    Object.assign(this.counts, this.#saved);
    if (this.counts.frames === 0) {
      this.close();
      removePair(this.#path);
      return false;
    }
    fs.ftruncateSync(this.#bin, this.#binBytes);
    fs.ftruncateSync(this.#wav, this.#wavBytes);
    return true;
  }

  /** Writes the sizes into the header. No append may follow; the caller continues with `hashNext`. */
  finish(): void {
    failpoint("record.close");
    const { sampleRate, channels } = this.#format;
    const header = encodeWavHeader(sampleRate, channels, this.#wavBytes - wavHeaderBytes);
    fs.writeSync(this.#wav, header, 0, header.length, 0);
  }

  /**
   * Hashes the next block of the `.wav`, whose header is known only after `finish`. Returns true once all of it is
   * hashed.
   */
  hashNext(block: Uint8Array): boolean {
    const wanted = Math.min(block.length, this.#wavBytes - this.#hashedBytes);
    const got = fs.readSync(this.#wav, block, 0, wanted, this.#hashedBytes);
    if (got === 0) throw new Error(`${this.#path}.wav was truncated while it was read`);
    this.#wavDigest ??= new WavDigest();
    this.#wavDigest.add(block.subarray(0, got));
    this.#hashedBytes += got;
    return this.#hashedBytes === this.#wavBytes;
  }

  /** Sizes and digests of both files, after `hashNext` has returned true. */
  hashes(): { bin: RecordedFile; wav: RecordedWav } {
    return {
      bin: { bytes: this.#binBytes, sha256: this.#binHash.digest("hex") },
      wav: this.#wavDigest!.finish(),
    };
  }

  /** Closes both files, in any state. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    fs.closeSync(this.#bin);
    fs.closeSync(this.#wav);
  }
}

export interface SegmentStart {
  /** Milliseconds since 1970. */
  startedAt: number;
  placement: Placement;
  latePlacement: Placement | undefined;
  /** Frames. */
  lostBefore: number;
}

export interface WavShape {
  /** In Hz. */
  sampleRate: number;
  channels: number;
}

interface OpenPair {
  name: string;
  bin: number;
  wav: number;
}

function openPair(folder: string, name: string, format: WavShape): OpenPair {
  for (let number = 1; number <= maxNameAttempts; number++) {
    const candidate = number === 1 ? name : `${name}_${number}`;
    const pair = tryOpenPair(folder, candidate);
    if (pair === undefined) continue;
    try {
      const header = encodeWavHeader(format.sampleRate, format.channels, undefined);
      fs.writeSync(pair.wav, header, 0, header.length, 0);
      return pair;
    } catch (error) {
      fs.closeSync(pair.bin);
      fs.closeSync(pair.wav);
      removePair(join(folder, candidate));
      throw error;
    }
  }
  throw new Error(`${name}: this name and ${maxNameAttempts} numbered ones exist`);
}

/** Creates both files. Undefined if one of them exists. */
function tryOpenPair(folder: string, name: string): OpenPair | undefined {
  const path = join(folder, name);
  const bin = createNew(`${path}.bin`);
  if (bin === undefined) return undefined;
  let wav: number | undefined;
  try {
    wav = createNew(`${path}.wav`);
  } finally {
    if (wav === undefined) {
      fs.closeSync(bin);
      removeFile(`${path}.bin`);
    }
  }
  return wav === undefined ? undefined : { name, bin, wav };
}

/** Creates a file, and its folder if it is missing. Undefined if the file exists. */
function createNew(path: string): number | undefined {
  try {
    return fs.openSync(path, "wx+");
  } catch (error) {
    if (systemCode(error) === "EEXIST") return undefined;
    if (!isMissing(error)) throw error;
    // The folder of a device, not the one of all recordings: if that is gone, so is its disk.
    createFolder(dirname(path));
    // Another thread may have created the folder as well, and this file in it: try again instead of assuming success.
    return createNew(path);
  }
}

function removePair(path: string): void {
  removeFile(`${path}.bin`);
  removeFile(`${path}.wav`);
  removeBeside(path);
}
