/**
 * Pseudo-random bytes, sizes and choices from a seed, so that a failure can be reproduced: a failed test prints its
 * seed, and WAVECACHE_TEST_SEED makes every test use that seed.
 */

const seedVariable = "WAVECACHE_TEST_SEED";

/** SHA-256 in lower-case hex. */
export function sha256(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** A seeded generator (xorshift32, whose state is never 0): fast and repeatable, not for secrets. */
export class Random {
  readonly seed: number;
  private state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    // Similar seeds must not start alike; the multiplier is Knuth's (2^32 divided by the golden ratio).
    this.state = Math.imul(this.seed ^ 0x5bd1e995, 0x9e3779b1) >>> 0 || 1;
    for (let skipped = 0; skipped < 8; skipped++) this.u32();
  }

  u32(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }

  /** An integer from `min` to `max`, both inclusive. */
  int(min: number, max: number): number {
    return min + (this.u32() % (max - min + 1));
  }

  /** True with a probability of `percent`. */
  chance(percent: number): boolean {
    return this.int(1, 100) <= percent;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("pick from an empty list");
    return items[this.int(0, items.length - 1)] as T;
  }

  /** Bytes that differ between calls and do not compress. */
  bytes(length: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let i = 0; i < words.length; i++) words[i] = this.u32();
    return new Uint8Array(words.buffer, 0, length);
  }

  /** `bytes` cut into pieces of 1 to `maxPiece` bytes, in order. */
  pieces(bytes: Uint8Array, maxPiece: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(this.int(1, maxPiece), bytes.length - at);
      pieces.push(bytes.subarray(at, at + length));
      at += length;
    }
    return pieces;
  }
}

/** A test body with a fresh generator. If the test fails, prints the seed that reproduces it. */
export function seeded(body: (random: Random) => Promise<void>): () => Promise<void> {
  return async () => {
    const random = new Random(testSeed());
    try {
      await body(random);
    } catch (error) {
      process.stderr.write(`failed with ${seedVariable}=${random.seed}\n`);
      throw error;
    }
  };
}

/** The seed to use: WAVECACHE_TEST_SEED, or a new one. */
export function testSeed(): number {
  const given = process.env[seedVariable];
  if (given === undefined) return Math.floor(Math.random() * 2 ** 32);
  const seed = Number(given);
  if (!Number.isInteger(seed)) throw new RangeError(`${seedVariable} is not a whole number: ${given}`);
  return seed;
}
