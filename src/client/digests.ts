/** Digests of a stream whose bytes may be sent more than once after a lost connection. */
import type { Digest, DigestName } from "./transport/platform.ts";

/** Lower-case hex, by the name of the digest. */
export type Digests = Partial<Record<DigestName, string>>;

interface DigestPlatform {
  newDigest?: (name: DigestName) => Digest;
}

/** Hashes every byte of a stream once and in order. */
export class StreamDigests {
  readonly #platform: DigestPlatform;
  readonly #names: readonly DigestName[];
  #running: [DigestName, Digest][] = [];
  #positionBytes = 0;

  /** On a platform without digests it counts bytes and hashes nothing. */
  constructor(platform: DigestPlatform, names: readonly DigestName[]) {
    this.#platform = platform;
    this.#names = [...new Set(names)];
    this.restart();
  }

  /** Forgets all bytes, to hash the stream from its beginning. */
  restart(): void {
    this.#positionBytes = 0;
    this.#running = this.#names.flatMap((name): [DigestName, Digest][] => {
      const digest = this.#platform.newDigest?.(name);
      return digest === undefined ? [] : [[name, digest]];
    });
  }

  /** New digests of the same platform, which have hashed nothing. */
  another(names: readonly DigestName[]): StreamDigests {
    return new StreamDigests(this.#platform, names);
  }

  /** The offset of the next byte to hash. */
  get positionBytes(): number {
    return this.#positionBytes;
  }

  /** Hashes the bytes at `offset`, skipping those hashed before. Throws RangeError if they begin behind the position. */
  update(offset: number, bytes: Uint8Array): void {
    const knownBytes = this.#positionBytes - offset;
    if (knownBytes < 0) throw new RangeError(`a gap of ${-knownBytes} bytes at ${this.#positionBytes}`);
    if (knownBytes >= bytes.length) return;
    const fresh = knownBytes === 0 ? bytes : bytes.subarray(knownBytes);
    for (const [, digest] of this.#running) digest.update(fresh);
    this.#positionBytes += fresh.length;
  }

  /** The digests of the bytes hashed so far. */
  values(): Digests {
    return Object.fromEntries(this.#running.map(([name, digest]) => [name, digest.hex()]));
  }
}
