/**
 * Brings what the archive has of interrupted uploads of other nodes here. A client waits for it for a moment; a long upload
 * goes on coming here after that, and the client finds it when it resumes again.
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import { maxRestores, maxWaitingRestores, restoreWaitMs } from "../../base/limits/archive.ts";
import type { Log } from "../../base/log/log.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { Archiver } from "../../pool/archiver.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { type PartedUpload, type StoredUpload, storedBytes } from "../../store/archive/parts/catalog.ts";
import type { CacheLayout } from "../../store/layout.ts";
import { removeFile } from "../../store/layout.ts";
import { RequestSlots } from "./request-slots.ts";

export interface RestoreHost {
  readonly keeper: Pick<KeeperClient, "call">;
  readonly archiver: Pick<Archiver, "call">;
  readonly layout: CacheLayout;
  /** A request has succeeded, or failed. */
  answered(error: unknown): void;
  /** Bytes of unfinished uploads came here, or went. Throws CACHE_FULL if there is no room for them. */
  count(bytes: number): void;
}

export class UploadRestores {
  /** Since the start. */
  readonly figures = { uploads: 0, bytes: 0 };
  readonly #host: RestoreHost;
  readonly #waitMs: number;
  readonly #log: Log;
  readonly #slots = new RequestSlots({
    running: maxRestores,
    waiting: maxWaitingRestores,
    refusal: "UPLOAD_MOVING",
  });
  /** By the keys of their files. */
  readonly #running = new Map<string, Promise<number>>();

  constructor(host: RestoreHost, log: Log, waitMs = restoreWaitMs) {
    this.#host = host;
    this.#log = log;
    this.#waitMs = waitMs;
  }

  /**
   * Resolves with the bytes that are in the file of the upload then; 0 if the archive has lost them. Rejects with
   * UPLOAD_MOVING while it takes longer, ARCHIVE_UNAVAILABLE, CACHE_FULL.
   */
  async bring(upload: PartedUpload, stored: StoredUpload): Promise<number> {
    const running = this.#running.get(upload.key) ?? this.#start(upload, stored);
    const { promise, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => reject(new WavecacheError("UPLOAD_MOVING")), this.#waitMs);
    try {
      return await Promise.race([running, promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The archiver must be closed already, or close meanwhile: its calls in progress fail then. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  #start(upload: PartedUpload, stored: StoredUpload): Promise<number> {
    const running = this.#restore(upload, stored).finally(() => this.#running.delete(upload.key));
    this.#running.set(upload.key, running);
    // The client may have gone meanwhile.
    running.catch((error: unknown) => {
      const { code, detail } = toWavecacheError(error);
      this.#log.warn("an upload could not be brought here", { streamId: upload.streamId, code, detail });
    });
    return running;
  }

  async #restore(upload: PartedUpload, stored: StoredUpload): Promise<number> {
    const expected = storedBytes(stored);
    this.#host.count(expected);
    let here = 0;
    try {
      here = await this.#slots.run(() => this.#bring(upload, stored));
      return here;
    } finally {
      this.#host.count(here - expected);
    }
  }

  async #bring(upload: PartedUpload, stored: StoredUpload): Promise<number> {
    const { keeper, archiver, layout, answered } = this.#host;
    const args = { fileKey: upload.key, stored };
    const restored = await archiver.call("restore", args).catch((error: unknown) => {
      answered(error);
      throw error;
    });
    answered(undefined);
    failpoint("restore.entering");
    const { baseKey, count, bytes } = restored;
    const call = { upload, baseKey, count, bytes, at: sharedNow() };
    if (await keeper.call("partsRestored", call)) {
      this.#log.info("an upload was brought here", { streamId: upload.streamId, bytes });
      this.figures.uploads += 1;
      this.figures.bytes += bytes;
      return bytes;
    }
    // Nobody has this upload any more, and another node may have the stream.
    removeFile(layout.incomingPath(upload.key));
    throw new WavecacheError("STREAM_TAKEN_OVER");
  }
}
