/** The calls of the archiver thread. They run concurrently; the main thread limits how many. */
import { errorNumber, toWavecacheError } from "../../../src/base/errors.ts";
import { failpoint } from "../../../src/base/failpoint.ts";
import { maxCachedSumsBytes } from "../../../src/base/limits/streams.ts";
import type {
  ArchiverCall,
  ArchiverCalls,
  ArchiverReply,
  ArchiverStart,
} from "../../../src/store/archive/archiver-calls.ts";
import { ArchiveFailure, Bucket } from "../../../src/store/archive/bucket.ts";
import type { ArchiveRemoval } from "../../../src/store/archive/catalog.ts";
import { isRecordingKey, sidecarKeyOf, sumsKeyOf } from "../../../src/store/archive/keys.ts";
import { minSumsObjectBytes } from "../../../src/base/limits/archive.ts";
import { CacheLayout } from "../../../src/store/layout.ts";
import { SumsCache } from "../../../src/store/streams/sums/files.ts";
import { fetchPiece, verifyFetched } from "./fetched-piece.ts";
import { fetchMeasured } from "./fetched-measured.ts";
import { restoreUpload } from "./restored-upload.ts";
import { storeItem } from "./stored-item.ts";
import { storePart } from "./upload-part.ts";

type Args<C extends ArchiverCall> = ArchiverCalls[C][0];
type Result<C extends ArchiverCall> = ArchiverCalls[C][1];

export class ArchiveJobs {
  readonly #post: (reply: ArchiverReply) => void;
  readonly #bucket: Bucket;
  readonly #layout: CacheLayout;
  readonly #recordingsDir: string;
  readonly #sums: SumsCache;
  readonly #calls: { [C in ArchiverCall]: (args: Args<C>) => Promise<Result<C>> } = {
    put: async (item) => {
      const begun = (_item: unknown, uploadId: string | null) =>
        this.#post({ begun: { sha256: item.sha256, key: item.key }, uploadId });
      const host = { bucket: this.#bucket, layout: this.#layout, recordingsDir: this.#recordingsDir, begun };
      await storeItem(host, item);
      return null;
    },
    beginParts: async ({ key }) => await this.#bucket.beginParts(key),
    storePart: async (task) => await storePart({ bucket: this.#bucket, layout: this.#layout }, task),
    restore: async (args) => await restoreUpload({ bucket: this.#bucket, layout: this.#layout }, args),
    remove: async (removal) => await this.#remove(removal),
    fetch: async (task) =>
      await fetchPiece({ bucket: this.#bucket, layout: this.#layout, sums: this.#sums }, task),
    fetchMeasured: async (task) => await fetchMeasured(this.#bucket, task),
    verify: async ({ sha256, size }) => {
      await verifyFetched(this.#layout, sha256, size);
      return null;
    },
    unfinishedUploads: async () => await this.#bucket.unfinishedUploads(),
    abortUploads: async (args) => await this.#abortUploads(args),
  };

  constructor({ cacheDir, recordingsDir, bucket }: ArchiverStart, post: (reply: ArchiverReply) => void) {
    this.#post = post;
    this.#bucket = new Bucket(bucket, (operation, status) => post({ operation, status }));
    this.#layout = new CacheLayout(cacheDir);
    this.#recordingsDir = recordingsDir;
    this.#sums = new SumsCache(this.#layout, maxCachedSumsBytes);
  }

  /** Answers later; never rejects. */
  async run<C extends ArchiverCall>(serial: number, call: C, args: Args<C>): Promise<void> {
    try {
      this.#post({ serial, result: await this.#calls[call](args) });
    } catch (error) {
      const { code, detail = "" } = toWavecacheError(error);
      const retryAfterMs = error instanceof ArchiveFailure ? error.retryAfterMs : undefined;
      this.#post({ serial, error: { number: errorNumber(code), detail, retryAfterMs } });
    }
  }

  /** What is in progress fails: it stays in the queue. */
  close(): void {
    this.#bucket.close();
  }

  async #remove({ key, size, uploadId }: ArchiveRemoval): Promise<null> {
    failpoint("archive.remove.1");
    if (uploadId !== null) await this.#bucket.abortParts(key, uploadId);
    if (isRecordingKey(key)) await this.#bucket.remove(sidecarKeyOf(key));
    else if (size > minSumsObjectBytes) await this.#bucket.remove(sumsKeyOf(key));
    failpoint("archive.remove.2");
    await this.#bucket.remove(key);
    failpoint("archive.remove.3");
    return null;
  }

  async #abortUploads({ uploads }: Args<"abortUploads">): Promise<null> {
    for (const { key, uploadId } of uploads) await this.#bucket.abortParts(key, uploadId);
    return null;
  }
}
