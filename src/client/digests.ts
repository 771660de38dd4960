/** Digests of a stream whose bytes may pass more than once, because a lost connection sends them again. */
import type { Digest, DigestName, Platform } from "./transport/platform.ts";

export type Digests = Partial<Record<DigestName, string>>;

/** Takes every byte of a stream once and in order, whatever is sent again. */
export class StreamDigests {
  readonly #running: [DigestName, Digest][];
  #positionBytes = 0;

  constructor(platform: Pick<Platform, "newDigest">, names: readonly DigestName[]) {
    this.#running = [...new Set(names)].map((name) => [name, platform.newDigest(name)]);
  }

  /** Where the next byte to take lies. */
  get positionBytes(): number {
    return this.#positionBytes;
  }

  /** Takes the bytes that begin at `offset`, at most `positionBytes`; those taken before are passed over. */
  take(offset: number, bytes: Uint8Array): void {
    const known = this.#positionBytes - offset;
    if (known < 0) throw new RangeError(`a gap of ${-known} bytes at ${this.#positionBytes}`);
    if (known >= bytes.length) return;
    const fresh = known === 0 ? bytes : bytes.subarray(known);
    for (const [, digest] of this.#running) digest.update(fresh);
    this.#positionBytes += fresh.length;
  }

  /** The digests of all bytes taken, in lower-case hex; nothing can be taken after this. */
  finish(): Digests {
    return Object.fromEntries(this.#running.map(([name, digest]) => [name, digest.hex()]));
  }
}
