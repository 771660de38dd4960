/**
 * Audio for many streams at almost no cost in memory and time. Every stream is a view of one block of noise, at its own
 * offset and wrapping round. Only its last frame is a copy, which carries the numbers of the stream and the round.
 * So no two streams are equal (a cache that stores equal content once must store each of them), and the SHA-256 of
 * all frames but the last is the same in every round, so that it is computed once.
 */
import { Random } from "../../src/testing/harness/bytes.ts";
import { MiB } from "../../src/base/limits/units.ts";

const noiseBytes = 8 * MiB;
/** Odd, so that streams start at all alignments; large enough that the starts of adjacent streams do not overlap. */
const stepBytes = 65_537;
const stampBytes = 12;

/** Leave room before all audio for the head of a message. */
const roomBytes = 64;

function withRoom(bytes: number): Buffer<ArrayBuffer> {
  return Buffer.from(new ArrayBuffer(roomBytes + bytes), roomBytes);
}

/** A block of noise, followed by a copy of its beginning, so that every frame is contiguous. */
export class Noise {
  readonly bytes: Buffer<ArrayBuffer>;

  constructor(frameBytes: number) {
    const noise = new Random(1).bytes(noiseBytes);
    this.bytes = withRoom(noiseBytes + frameBytes);
    this.bytes.set(noise);
    this.bytes.copy(this.bytes, noiseBytes, 0, frameBytes);
  }
}

/** The audio of one stream in one round, in frames; the last frame may be shorter. */
export class StreamAudio {
  readonly frames: number;
  readonly sizeBytes: number;
  readonly frameBytes: number;
  readonly #noise: Buffer<ArrayBuffer>;
  readonly #begin: number;
  readonly #last: Buffer<ArrayBuffer>;
  /** Digest state after all frames but the last. */
  readonly #head = new Bun.CryptoHasher("sha256");
  #sha256 = "";

  constructor(noise: Noise, index: number, sizeBytes: number, frameBytes: number) {
    this.#noise = noise.bytes;
    this.#begin = (index * stepBytes) % noiseBytes;
    this.sizeBytes = sizeBytes;
    this.frameBytes = frameBytes;
    this.frames = Math.ceil(sizeBytes / frameBytes);
    for (let frame = 0; frame < this.frames - 1; frame += 1) this.#head.update(this.#view(frame));
    const last = this.#view(this.frames - 1);
    this.#last = withRoom(last.length);
    this.#last.set(last);
    this.stamp(index, 0);
  }

  /** Makes this the audio of stream `index` in `round`. Must not be called during a transfer. */
  stamp(index: number, round: number): void {
    const stamp = Buffer.alloc(stampBytes);
    stamp.writeUInt32LE(index, 0);
    stamp.writeUInt32LE(round, 4);
    stamp.writeUInt32LE(process.pid, 8);
    stamp.copy(this.#last, Math.max(0, this.#last.length - stampBytes));
    this.#sha256 = this.#head.copy().update(this.#last).digest("hex");
  }

  /** SHA-256 of the whole audio, in lower-case hex. */
  get sha256(): string {
    return this.#sha256;
  }

  /** Frame number `frame`: a view that the caller must not change. */
  frame(frame: number): Buffer {
    return frame === this.frames - 1 ? this.#last : this.#view(frame);
  }

  /** Whether `bytes` equal frame number `frame`. Compares every byte. */
  isFrame(frame: number, bytes: Uint8Array): boolean {
    return frame < this.frames && Buffer.compare(bytes, this.frame(frame)) === 0;
  }

  /**
   * 1 to `maxBytes` bytes from `offset`: as many as are contiguous in memory. The caller may write a message head in the
   * room before them, but must restore it, since that room is other audio.
   */
  from(offset: number, maxBytes: number): Buffer<ArrayBuffer> {
    const lastAt = (this.frames - 1) * this.frameBytes;
    if (offset >= lastAt) return this.#last.subarray(offset - lastAt, offset - lastAt + maxBytes);
    const at = (this.#begin + offset) % noiseBytes;
    return this.#noise.subarray(at, at + Math.min(maxBytes, lastAt - offset));
  }

  /** Whether `bytes` equal those at `offset`. Compares every byte. */
  isAt(offset: number, bytes: Uint8Array): boolean {
    for (let done = 0; done < bytes.length;) {
      if (offset + done >= this.sizeBytes) return false;
      const wanted = this.from(offset + done, bytes.length - done);
      if (Buffer.compare(wanted, bytes.subarray(done, done + wanted.length)) !== 0) return false;
      done += wanted.length;
    }
    return true;
  }

  #view(frame: number): Buffer<ArrayBuffer> {
    const offset = frame * this.frameBytes;
    const at = (this.#begin + offset) % noiseBytes;
    return this.#noise.subarray(at, at + Math.min(this.frameBytes, this.sizeBytes - offset));
  }
}
