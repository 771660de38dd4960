/**
 * One segment of a recording: the frames as they were received in `NAME.bin`, what they decode to in `NAME.wav`. A
 * writer thread owns it. A crash right after a step leaves:
 *
 *     1  the files are created, the .wav with its header   no frame: repair removes both
 *     2  frames, then samples are appended, many at once   the last frame may be torn and the sizes in the header are
 *                                                          open: repair cuts the one and fills in the others
 *     3  the sizes are written into the header             a whole pair that is not in the catalog: repair enters it
 *     4  both are forced to the disk with their group      the same
 *     5  the catalog has the segment                       a finished recording
 *
 * Steps 4 and 5 are the keeper's (recording-keeper.ts), repair is in recording-repair.ts. After a power cut, steps that
 * were not followed by 4 may be undone. A failed append takes back all of itself, so that both files end with the
 * append before it.
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import type { RecordedFile } from "../../base/recording-entry.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../codec/wav.ts";
import type { AppendBuffer } from "./append-buffer.ts";
import { isMissing, removeFile } from "../layout.ts";

/** What has come into a segment; `samples` a channel. */
export interface SegmentCounts {
  frames: number;
  samples: number;
  gaps: number;
  lostFrames: number;
}

/** Names tried for one second of one stream. */
const maxNames = 10_000;

export class Segment {
  /** Relative to the folder of recordings, without an ending. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  endedAt: number;
  readonly counts: SegmentCounts = { frames: 0, samples: 0, gaps: 0, lostFrames: 0 };
  readonly #path: string;
  readonly #bin: number;
  readonly #wav: number;
  readonly #format: WavShape;
  readonly #binHash = new Bun.CryptoHasher("sha256");
  /** Begun only when the `.wav` is finished: thousands of segments may be open. */
  #wavHash: Bun.CryptoHasher | undefined;
  /** What `counts` and the files were after the last append that worked. */
  #saved: SegmentCounts = { ...this.counts };
  #binBytes = 0;
  #wavBytes = wavHeaderBytes;
  #hashedBytes = 0;
  #isLetGo = false;

  private constructor(pair: OpenPair, folder: string, format: WavShape, startedAt: number) {
    this.name = pair.name;
    this.#path = join(folder, pair.name);
    this.#bin = pair.bin;
    this.#wav = pair.wav;
    this.#format = format;
    this.startedAt = startedAt;
    this.endedAt = startedAt;
  }

  /**
   * Creates both files, which go by `name` or, where that is taken, by `name_2`, `name_3` and so on; `name` is relative
   * to `folder`.
   */
  static open(folder: string, name: string, format: WavShape, startedAt: number): Segment {
    failpoint("record.open");
    return new Segment(openPair(folder, name, format), folder, format, startedAt);
  }

  /** Bytes of the larger file. */
  get fileBytes(): number {
    return Math.max(this.#binBytes, this.#wavBytes);
  }

  /** The buffers of the stream go on in these files. */
  adopt(bin: AppendBuffer, wav: AppendBuffer): void {
    bin.startFile(0);
    wav.startFile(wavHeaderBytes);
  }

  /** Appends what is not in the files yet; the caller then tells the buffers that it is written. Throws the system's error. */
  append(bin: AppendBuffer, wav: AppendBuffer): void {
    failpoint("record.write");
    bin.writeTo(this.#bin);
    wav.writeTo(this.#wav);
    this.#binHash.update(bin.unwritten());
    this.#binBytes += bin.unwrittenBytes;
    this.#wavBytes += wav.unwrittenBytes;
    this.#saved = { ...this.counts };
  }

  /** Takes back what a failed append left. Returns false, with the files removed, if nothing was there before it. */
  takeBack(): boolean {
    Object.assign(this.counts, this.#saved);
    if (this.counts.frames === 0) {
      this.letGo();
      removePair(this.#path);
      return false;
    }
    fs.ftruncateSync(this.#bin, this.#binBytes);
    fs.ftruncateSync(this.#wav, this.#wavBytes);
    return true;
  }

  /** Writes the sizes into the header; nothing may be appended any more. `hashNext` comes next. */
  finish(): void {
    failpoint("record.close");
    const { sampleRate, channels } = this.#format;
    const header = encodeWavHeader(sampleRate, channels, this.#wavBytes - wavHeaderBytes);
    fs.writeSync(this.#wav, header, 0, header.length, 0);
  }

  /**
   * Hashes the next block of the `.wav`, which begins with what became known last. Returns true once all of it is
   * hashed.
   */
  hashNext(block: Uint8Array): boolean {
    const wanted = Math.min(block.length, this.#wavBytes - this.#hashedBytes);
    const got = fs.readSync(this.#wav, block, 0, wanted, this.#hashedBytes);
    if (got === 0) throw new Error(`${this.#path}.wav became shorter while it was read`);
    this.#wavHash ??= new Bun.CryptoHasher("sha256");
    this.#wavHash.update(block.subarray(0, got));
    this.#hashedBytes += got;
    return this.#hashedBytes === this.#wavBytes;
  }

  /** What both files came to, once `hashNext` said so. */
  sums(): { bin: RecordedFile; wav: RecordedFile } {
    return {
      bin: { bytes: this.#binBytes, sha256: this.#binHash.digest("hex") },
      wav: { bytes: this.#wavBytes, sha256: this.#wavHash!.digest("hex") },
    };
  }

  /** Closes both files, in any state. May be called again. */
  letGo(): void {
    if (this.#isLetGo) return;
    this.#isLetGo = true;
    fs.closeSync(this.#bin);
    fs.closeSync(this.#wav);
  }
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
  for (let number = 1; number <= maxNames; number++) {
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
  throw new Error(`${name}: this name and ${maxNames} like it are taken`);
}

/** Creates both files, or undefined if one of them is there already. */
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

/** A new file, with its folder if need be; undefined where there is one. */
function createNew(path: string): number | undefined {
  try {
    return fs.openSync(path, "wx+");
  } catch (error) {
    if (systemCode(error) === "EEXIST") return undefined;
    if (!isMissing(error)) throw error;
    fs.mkdirSync(dirname(path), { recursive: true });
    // Another thread may have made the folder too, and a file of this name in it.
    return createNew(path);
  }
}

function removePair(path: string): void {
  removeFile(`${path}.bin`);
  removeFile(`${path}.wav`);
}
