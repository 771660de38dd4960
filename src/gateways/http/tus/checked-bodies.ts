/** Bodies with an Upload-Checksum: in memory until they are verified, a few at a time. */
import { toWavecacheError, WavecacheError } from "../../../base/errors.ts";
import { checkedBodyMs, maxCheckedBodies, maxCheckedBodyBytes } from "../../../base/limits/tus.ts";
import { readBody } from "../../../listen/request-body.ts";
import type { Checksum } from "../../../wire/tus.ts";

export class CheckedBodies {
  #free = maxCheckedBodies;
  readonly #waiting: (() => void)[] = [];

  /** Reads a body. Rejects with CHECKSUM_WRONG if it is not the one that its sender has hashed. */
  async read(request: Request, { algorithm, digest }: Checksum): Promise<Uint8Array> {
    await this.#enter();
    try {
      const body = await readWhole(request);
      const found = new Bun.CryptoHasher(algorithm).update(body).digest();
      if (!found.equals(digest)) throw new WavecacheError("CHECKSUM_WRONG");
      return body;
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** A body that waits takes the place at once, so that none that comes later is first. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

async function readWhole(request: Request): Promise<Uint8Array> {
  try {
    return await readBody(request, { maxBytes: maxCheckedBodyBytes, timeoutMs: checkedBodyMs });
  } catch (error) {
    const { code } = toWavecacheError(error);
    throw code === "MESSAGE_TOO_LARGE" ? new WavecacheError("CHECKED_TOO_LARGE") : error;
  }
}
