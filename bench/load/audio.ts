/**
 * Audio for many streams that costs neither memory nor time: every stream is a view of one block of noise, begun at a
 * place of its own and wrapping round, and only its last frame is a copy, which carries the stream's and the round's
 * number. So no two streams are alike (a cache that stores content once must store each), and the SHA-256 of all but
 * the last frame is the same in every round and computed once.
 */
import { Random } from "../../src/testing/harness/bytes.ts";
import { MiB } from "../../src/base/limits/units.ts";

const noiseBytes = 8 * MiB;
/** Odd, so that streams begin at all alignments, and far enough apart that no stream begins like its neighbour. */
const stepBytes = 65_537;
const stampBytes = 12;

/** In front of all audio there is room for the head of a message. */
const roomBytes = 64;

function withRoom(bytes: number): Buffer<ArrayBuffer> {
  return Buffer.from(new ArrayBuffer(roomBytes + bytes), roomBytes);
}

/** A block of noise with its beginning once more behind its end, so that a frame is never torn. */
export class Noise {
  readonly bytes: Buffer<ArrayBuffer>;

  constructor(frameBytes: number) {
    const noise = new Random(1).bytes(noiseBytes);
    this.bytes = withRoom(noiseBytes + frameBytes);
    this.bytes.set(noise);
    this.bytes.copy(this.bytes, noiseBytes, 0, frameBytes);
  }
}

/** The audio of one stream in one round, in frames; the last one may be shorter. */
export class StreamAudio {
  readonly frames: number;
  readonly sizeBytes: number;
  readonly frameBytes: number;
  readonly #noise: Buffer<ArrayBuffer>;
  readonly #begin: number;
  readonly #last: Buffer<ArrayBuffer>;
  /** Of all frames but the last. */
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

  /** Makes this the audio of stream `index` in `round`. Not while a transfer is under way. */
  stamp(index: number, round: number): void {
    const stamp = Buffer.alloc(stampBytes);
    stamp.writeUInt32LE(index, 0);
    stamp.writeUInt32LE(round, 4);
    stamp.writeUInt32LE(process.pid, 8);
    stamp.copy(this.#last, Math.max(0, this.#last.length - stampBytes));
    this.#sha256 = this.#head.copy().update(this.#last).digest("hex");
  }

  /** Of the whole audio, in lower-case hex. */
  get sha256(): string {
    return this.#sha256;
  }

  /** Frame number `frame`: a view that must not be changed. */
  frame(frame: number): Buffer {
    return frame === this.frames - 1 ? this.#last : this.#view(frame);
  }

  /** Whether `bytes` are frame number `frame`, each one compared. */
  isFrame(frame: number, bytes: Uint8Array): boolean {
    return frame < this.frames && Buffer.compare(bytes, this.frame(frame)) === 0;
  }

  /**
   * Bytes from `offset` on, 1 to `most` of them: as many as lie behind one another in memory, with room for a head before
   * them, which is other audio's, so that it must be put back.
   */
  from(offset: number, most: number): Buffer<ArrayBuffer> {
    const lastAt = (this.frames - 1) * this.frameBytes;
    if (offset >= lastAt) return this.#last.subarray(offset - lastAt, offset - lastAt + most);
    const at = (this.#begin + offset) % noiseBytes;
    return this.#noise.subarray(at, at + Math.min(most, lastAt - offset));
  }

  /** Whether `bytes` are those at `offset`, each one compared. */
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
