/**
 * Stores the parts of uploads in the archive while they come, so that their ends wait for the last part only. An upload
 * never waits for its parts: if the object store is slow or down they catch up, at the latest once the upload has ended
 * and its object waits in the queue. A part counts once the catalog has it.
 */
import { toWavecacheError } from "../../base/errors.ts";
import { maxUploadParts } from "../../base/limits/archive.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import type { Archiver } from "../../pool/archiver.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { partBytesOf } from "../../store/archive/keys.ts";
import type { UploadPart } from "../../store/archive/parts/catalog.ts";
import type { GrowingUpload } from "../streams/stream-archive.ts";
import { GrowingParts, type OwnUpload, type PartsHost } from "./growing-parts.ts";
import { RequestSlots } from "./request-slots.ts";
import { storeTail } from "./upload-tail.ts";

export interface UploadPartsHost {
  readonly keeper: Pick<KeeperClient, "call">;
  readonly archiver: Pick<Archiver, "call">;
  /** A request has succeeded, or failed. */
  answered(error: unknown): void;
  /** No part of some upload in parts is on its way any more. */
  settled(): void;
  /** Bytes of the longest upload. */
  maxStreamBytes(): number;
}

export class UploadParts implements PartsHost {
  /** Since the start. */
  readonly figures = { parts: 0, bytes: 0 };
  readonly keeper: Pick<KeeperClient, "call">;
  readonly archiver: Pick<Archiver, "call">;
  readonly #host: UploadPartsHost;
  readonly #failures: RateLimitedLog;
  readonly #slots = new RequestSlots({
    running: maxUploadParts,
    waiting: Number.POSITIVE_INFINITY,
    refusal: "ARCHIVE_UNAVAILABLE",
  });
  readonly #growing = new Map<GrowingUpload, GrowingParts>();
  /** Ends that are under way. */
  readonly #ending = new Set<Promise<void>>();
  readonly #underWay = new Map<string, Promise<unknown>>();
  readonly #closed = Promise.withResolvers<void>();
  isClosing = false;

  constructor(host: UploadPartsHost, log: Log) {
    this.#failures = new RateLimitedLog(log);
    this.keeper = host.keeper;
    this.archiver = host.archiver;
    this.#host = host;
  }

  get partBytes(): number {
    return partBytesOf(this.#host.maxStreamBytes());
  }

  /** Keys of uploads in parts that have a part on its way. */
  get keysUnderWay(): string[] {
    return [...this.#underWay.keys()];
  }

  /** An upload has received audio. Returns at how many bytes to call this again. */
  grew(upload: GrowingUpload): number {
    if (this.isClosing) return Number.POSITIVE_INFINITY;
    const { partBytes } = this;
    const parts = Math.floor(upload.receivedBytes / partBytes);
    if (parts > 0) this.#partsOf(upload).wake();
    return (parts + 1) * partBytes;
  }

  /** Stores what an interrupted upload of `size` bytes has past its last part. */
  storeTail(upload: OwnUpload, size: number): Promise<void> {
    return storeTail(this, upload, size);
  }

  /** The archiver must be closed already, or close meanwhile: its calls in progress fail then. */
  async close(): Promise<void> {
    this.isClosing = true;
    this.#closed.resolve();
    await Promise.all([...this.#underWay.values(), ...this.#ending]);
  }

  readonly inSlot = <T>(work: () => Promise<T>): Promise<T> => this.#slots.run(work);

  readonly isUnderWay = (key: string, request: Promise<unknown>): void => {
    const settled = request.then(noResult, noResult).then(() => {
      if (this.#underWay.get(key) !== settled) return;
      this.#underWay.delete(key);
      this.#host.settled();
    });
    this.#underWay.set(key, settled);
  };

  readonly stored = ({ size }: UploadPart): void => {
    this.#host.answered(undefined);
    this.figures.parts += 1;
    this.figures.bytes += size;
  };

  readonly failed = (error: unknown): void => {
    if (this.isClosing) return;
    this.#host.answered(error);
    const { code } = toWavecacheError(error);
    if (code !== "ARCHIVE_UNAVAILABLE")
      this.#failures.warn("a part of an upload could not be archived", { error });
  };

  async pause(ms: number, upload: GrowingUpload): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([promise, upload.over, this.#closed.promise]);
    clearTimeout(timer);
  }

  #partsOf(upload: GrowingUpload): GrowingParts {
    const known = this.#growing.get(upload);
    if (known !== undefined) return known;
    const parts = new GrowingParts(upload, this);
    this.#growing.set(upload, parts);
    const ending = upload.over
      .then(() => {
        this.#growing.delete(upload);
        return parts.end();
      })
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    return parts;
  }
}

function noResult(): void {}
