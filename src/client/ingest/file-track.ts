/**
 * The frames of a WAV file, encoded once for all streams that send it. Blocks of encoded frames are kept in an LRU cache
 * of limited size; a stream that is far behind has its block encoded again.
 */
import { type EncodedFrames, FrameEncoder, messageOf } from "./frame-encoder.ts";
import { ClientError } from "../errors.ts";
import type { IngestFormat } from "./format.ts";
import { trackBlockBytes, trackCacheBytes } from "../limits.ts";
import type { FrameMessage, FrameTrack } from "./track.ts";
import type { WavSource } from "./wav-source.ts";

/** Encoder states to keep, one per block. A block encoded again without its state starts from silence. */
const maxStates = 4096;

export interface FileTrackOptions {
  /** Repeats the file without a gap, for ever. */
  loop?: boolean;
  /** PCM16 bytes of a block, but at least one frame. */
  blockBytes?: number;
  /** Encoded bytes to keep; the block in use stays even if it is larger. */
  cacheBytes?: number;
}

export class FileTrack implements FrameTrack {
  readonly format: IngestFormat;
  readonly samples: number;
  readonly #wav: WavSource;
  readonly #encoder: FrameEncoder;
  readonly #blockFrames: number;
  readonly #cacheBytes: number;
  /** Encoded blocks by number, least recently used first. */
  readonly #blocks = new Map<number, EncodedFrames>();
  #cachedBytes = 0;
  /** The encoder's state before each block, oldest first. */
  readonly #states = new Map<number, Int32Array>();
  /** Settles after the last block. Blocks are encoded one at a time: there is one encoder and one reader. */
  #encoding: Promise<unknown> = Promise.resolve();

  constructor(wav: WavSource, format: IngestFormat, options: FileTrackOptions = {}) {
    if (options.loop === true && wav.samples === 0)
      throw new ClientError("BAD_AUDIO", "the file has no audio");
    this.format = format;
    this.samples = options.loop === true ? Infinity : wav.samples;
    this.#wav = wav;
    this.#encoder = new FrameEncoder(format);
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
    return this.#encoded(number).then((encoded) => messageOf(encoded, inBlock));
  }

  #touch(number: number, block: EncodedFrames): void {
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
  }

  /** Encodes a block after those before it. Streams that need the same block share it. */
  #encoded(number: number): Promise<EncodedFrames> {
    const encode = async () => {
      const existing = this.#blocks.get(number);
      if (existing !== undefined) return existing;
      const block = await this.#encode(number);
      this.#cache(number, block);
      return block;
    };
    const encoded = this.#encoding.then(encode, encode);
    this.#encoding = encoded;
    return encoded;
  }

  async #encode(number: number): Promise<EncodedFrames> {
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
    this.#encoder.state = this.#states.get(number) ?? new Int32Array(2 * channels);
    const block = this.#encoder.encode(pcm, count);
    this.#keepState(number + 1, this.#encoder.state);
    return block;
  }

  #keepState(number: number, state: Int32Array): void {
    this.#states.delete(number);
    this.#states.set(number, state);
    const [oldest] = this.#states.keys();
    if (this.#states.size > maxStates && oldest !== undefined) this.#states.delete(oldest);
  }

  #cache(number: number, block: EncodedFrames): void {
    this.#blocks.set(number, block);
    this.#cachedBytes += block.bytes.length;
    for (const [oldest, { bytes }] of this.#blocks) {
      if (this.#cachedBytes <= this.#cacheBytes || oldest === number) return;
      this.#blocks.delete(oldest);
      this.#cachedBytes -= bytes.length;
    }
  }
}
