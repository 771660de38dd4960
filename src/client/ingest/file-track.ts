/**
 * The frames of a WAV file, coded once for all streams that send it. The file becomes blocks of frames; blocks are kept
 * within a limit, the ones used last, and made again from the file for a stream that has fallen far behind.
 */
import { type CodedFrames, FrameCoder, messageOf } from "./frame-coder.ts";
import { ClientError } from "../errors.ts";
import type { IngestFormat } from "./format.ts";
import { trackBlockBytes, trackCacheBytes } from "../limits.ts";
import type { FrameMessage, FrameTrack } from "./track.ts";
import type { WavSource } from "./wav-source.ts";

/** States of the coder that are kept, one a block: what lies further back begins from silence. */
const maxStates = 4096;

export interface FileTrackOptions {
  /** Whether the file begins again at its end, without a seam, for ever. */
  loop?: boolean;
  /** PCM16 bytes of a block, at least one frame. */
  blockBytes?: number;
  /** Bytes of blocks to keep. */
  cacheBytes?: number;
}

export class FileTrack implements FrameTrack {
  readonly format: IngestFormat;
  readonly samples: number;
  readonly #wav: WavSource;
  readonly #coder: FrameCoder;
  readonly #blockFrames: number;
  readonly #cacheBytes: number;
  /** In the order of their last use. */
  readonly #blocks = new Map<number, CodedFrames>();
  #keptBytes = 0;
  /** The coder's state before each block, oldest first. */
  readonly #states = new Map<number, Int32Array>();
  /** Blocks in the making, one after the other: there is one coder and one reader. */
  #making: Promise<unknown> = Promise.resolve();

  constructor(wav: WavSource, format: IngestFormat, options: FileTrackOptions = {}) {
    if (options.loop === true && wav.samples === 0)
      throw new ClientError("BAD_AUDIO", "the file has no audio");
    this.format = format;
    this.samples = options.loop === true ? Infinity : wav.samples;
    this.#wav = wav;
    this.#coder = new FrameCoder(format);
    const frameBytes = format.frameSamples * format.channels * 2;
    this.#blockFrames = Math.max(1, Math.floor((options.blockBytes ?? trackBlockBytes) / frameBytes));
    this.#cacheBytes = options.cacheBytes ?? trackCacheBytes;
  }

  frame(frame: number): FrameMessage | undefined | Promise<FrameMessage | undefined> {
    if (frame * this.format.frameSamples >= this.samples) return undefined;
    const number = Math.floor(frame / this.#blockFrames);
    const inBlock = frame % this.#blockFrames;
    const block = this.#blocks.get(number);
    if (block !== undefined) {
      if (inBlock === 0) this.#touch(number, block);
      return messageOf(block, inBlock);
    }
    return this.#made(number).then((made) => messageOf(made, inBlock));
  }

  #touch(number: number, block: CodedFrames): void {
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
  }

  #made(number: number): Promise<CodedFrames> {
    const make = async () => {
      // Another stream may have asked for the same block.
      const existing = this.#blocks.get(number);
      if (existing !== undefined) return existing;
      const block = await this.#make(number);
      this.#keep(number, block);
      return block;
    };
    const made = this.#making.then(make, make);
    this.#making = made;
    return made;
  }

  async #make(number: number): Promise<CodedFrames> {
    const { frameSamples, channels } = this.format;
    const blockSamples = this.#blockFrames * frameSamples;
    const first = number * blockSamples;
    const count = Math.min(blockSamples, this.samples - first);
    const pcm = new Int16Array(count * channels);
    for (let done = 0; done < count;) {
      const from = (first + done) % this.#wav.samples;
      const piece = Math.min(count - done, this.#wav.samples - from);
      await this.#wav.read(from, piece, pcm, done * channels);
      done += piece;
    }
    this.#coder.state = this.#states.get(number) ?? new Int32Array(2 * channels);
    const block = this.#coder.encode(pcm, count);
    this.#remember(number + 1, this.#coder.state);
    return block;
  }

  #remember(number: number, state: Int32Array): void {
    this.#states.delete(number);
    this.#states.set(number, state);
    const [oldest] = this.#states.keys();
    if (this.#states.size > maxStates && oldest !== undefined) this.#states.delete(oldest);
  }

  #keep(number: number, block: CodedFrames): void {
    this.#blocks.set(number, block);
    this.#keptBytes += block.bytes.length;
    for (const [oldest, { bytes }] of this.#blocks) {
      if (this.#keptBytes <= this.#cacheBytes || oldest === number) return;
      this.#blocks.delete(oldest);
      this.#keptBytes -= bytes.length;
    }
  }
}
