/** Ends of uploads that wait until the archive has their objects. */
import { WavecacheError } from "../../base/errors.ts";
import { acknowledgeMs, archivePollMs } from "../../base/limits/archive.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";

interface Waiting {
  sha256: string;
  resolve(): void;
  reject(error: WavecacheError): void;
}

export class Acknowledgements {
  readonly #keeper: Pick<KeeperClient, "call">;
  readonly #waitMs: number;
  readonly #pollMs: number;
  readonly #waiting = new Set<Waiting>();

  constructor(keeper: Pick<KeeperClient, "call">, waitMs = acknowledgeMs, pollMs = archivePollMs) {
    this.#keeper = keeper;
    this.#waitMs = waitMs;
    this.#pollMs = pollMs;
  }

  /** The archive and the catalog have the object. There are only as many waiting as there are uploads. */
  archived(sha256: string): void {
    for (const waiting of this.#waiting) if (waiting.sha256 === sha256) waiting.resolve();
  }

  /** Resolves once the archive has the object. Rejects with ARCHIVE_UNAVAILABLE if that takes too long. */
  async wait(sha256: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { sha256, resolve, reject };
    this.#waiting.add(waiting);
    const failure = new WavecacheError("ARCHIVE_UNAVAILABLE", "the end of an upload has waited for it");
    const timer = setTimeout(() => reject(failure), this.#waitMs);
    try {
      // The object may be stored before the catalog is asked, or after.
      await Promise.race([promise, this.#untilKnown(sha256, promise)]);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
    }
  }

  close(): void {
    for (const { reject } of this.#waiting) reject(new WavecacheError("SHUTTING_DOWN"));
  }

  /** An object that this node does not store is looked for again: another node may be about to. */
  async #untilKnown(sha256: string, stored: Promise<void>): Promise<void> {
    const isSettled = stored.then(
      () => true,
      () => true,
    );
    for (;;) {
      const item = await this.#keeper.call("archiveItem", { sha256 });
      if (item?.isArchived === true) return;
      if (item !== null || (await Promise.race([isSettled, afterPause(this.#pollMs)]))) return await stored;
    }
  }
}

async function afterPause(ms: number): Promise<false> {
  await Bun.sleep(ms);
  return false;
}
