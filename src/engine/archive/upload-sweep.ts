/**
 * Removes uploads in parts from the archive that nobody continues, once after the start: those that no node knows. A node
 * notes an upload in the catalog after it has begun it, so what is unknown at first is looked up once more.
 */
import { uploadNoteMs } from "../../base/limits/archive.ts";
import type { Archiver } from "../../pool/archiver.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { UnfinishedUpload } from "../../store/archive/bucket.ts";

export interface SweepHost {
  keeper: Pick<KeeperClient, "call">;
  archiver: Pick<Archiver, "call">;
}

export class UploadSweep {
  isOver = false;
  readonly #host: SweepHost;
  readonly #noteMs: number;
  #suspects: UnfinishedUpload[] | undefined;
  #nextLookMs = -Infinity;

  constructor(host: SweepHost, noteMs = uploadNoteMs) {
    this.#host = host;
    this.#noteMs = noteMs;
  }

  get isDue(): boolean {
    return !this.isOver && performance.now() >= this.#nextLookMs;
  }

  /** The next step. Results in how many uploads it removed. */
  async run(): Promise<number> {
    const { archiver } = this.#host;
    const begun = this.#suspects ?? (await archiver.call("unfinishedUploads", null));
    const known = new Set(begun.length === 0 ? [] : await this.#known());
    const unknown = begun.filter(({ uploadId }) => !known.has(uploadId));
    if (unknown.length > 0 && this.#suspects === undefined) {
      this.#suspects = unknown;
      this.#nextLookMs = performance.now() + this.#noteMs;
      return 0;
    }
    if (unknown.length > 0) await archiver.call("abortUploads", { uploads: unknown });
    this.isOver = true;
    return unknown.length;
  }

  async #known(): Promise<string[]> {
    const { keeper } = this.#host;
    const known: string[] = [];
    for (let after: string | undefined = ""; after !== undefined;) {
      const page: { key: string; uploadId: string }[] = await keeper.call("archiveUploads", { after });
      known.push(...page.map(({ uploadId }) => uploadId));
      after = page.at(-1)?.key;
    }
    for (let after: string | undefined = ""; after !== undefined;) {
      const page: { streamId: string; uploadId: string }[] = await keeper.call("partsUploads", { after });
      known.push(...page.map(({ uploadId }) => uploadId));
      after = page.at(-1)?.streamId;
    }
    return known;
  }
}
