/** The parts of one upload in progress: stores them one after the other, as soon as the audio of each is here. */
import { WavecacheError } from "../../base/errors.ts";
import { failpoint } from "../../base/failpoint.ts";
import { maxPartRetryMs, minArchivePartBytes } from "../../base/limits/archive.ts";
import type { Archiver } from "../../pool/archiver.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { newPartedKey } from "../../store/archive/keys.ts";
import { bytesOf, type PartsRef, type UploadPart } from "../../store/archive/parts/catalog.ts";
import type { GrowingUpload } from "../streams/stream-archive.ts";
import { backoffMs } from "./availability.ts";

export interface PartsHost {
  readonly keeper: Pick<KeeperClient, "call">;
  readonly archiver: Pick<Archiver, "call">;
  readonly partBytes: number;
  /** Runs the work, now or once there is a free slot. */
  inSlot<T>(work: () => Promise<T>): Promise<T>;
  /** A request to the object store is under way for an upload in parts with this key. */
  isUnderWay(key: string, request: Promise<unknown>): void;
  stored(part: UploadPart): void;
  failed(error: unknown): void;
  /** Resolves once a request may be made again, at the latest when the archive closes. */
  pause(ms: number, upload: GrowingUpload): Promise<void>;
  readonly isClosing: boolean;
}

/** What the archive has of the upload. */
interface Progress {
  ref: PartsRef | undefined;
  count: number;
  bytes: number;
}

/** An upload of this node, by its stream and its file. */
export type OwnUpload = Pick<GrowingUpload, "streamId" | "key">;

/** Begins an upload in parts. Resolves with undefined if another node has the stream, or nobody any more. */
export async function beginParts(
  { keeper, archiver }: Pick<PartsHost, "keeper" | "archiver">,
  { streamId, key: fileKey }: OwnUpload,
): Promise<PartsRef | undefined> {
  const key = newPartedKey(fileKey);
  const ref = { key, uploadId: await archiver.call("beginParts", { key }) };
  failpoint("parts.begun");
  if (await keeper.call("partsBegin", { upload: { streamId, key: fileKey }, ref })) return ref;
  await archiver.call("remove", { ...ref, size: 0 });
  return undefined;
}

/** Parts that others may follow: the object store takes a shorter one as the last one only. */
export function wholeParts(parts: readonly UploadPart[]): UploadPart[] {
  const short = parts.findIndex(({ size }) => size < minArchivePartBytes);
  return short === -1 ? [...parts] : parts.slice(0, short);
}

const nothing = (): Progress => ({ ref: undefined, count: 0, bytes: 0 });

export class GrowingParts {
  readonly #upload: GrowingUpload;
  readonly #host: PartsHost;
  #progress: Progress | undefined;
  #running: Promise<void> | undefined;
  /** The upload has ended, or is another node's. */
  #isOver = false;

  constructor(upload: GrowingUpload, host: PartsHost) {
    this.#upload = upload;
    this.#host = host;
  }

  /** There is more audio. */
  wake(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** The upload is over. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    for (let failures = 0; await this.#isDue();) {
      try {
        this.#progress ??= await this.#load();
        await this.#host.inSlot(() => this.#storeNext(this.#progress!));
        failures = 0;
      } catch (error) {
        if (this.#host.isClosing) return;
        failures += 1;
        this.#host.failed(error);
        await this.#host.pause(backoffMs(failures, maxPartRetryMs, Math.random()), this.#upload);
      }
    }
  }

  /** The audio of the next part is in the file. */
  async #isDue(): Promise<boolean> {
    const wanted = (this.#progress?.bytes ?? 0) + this.#host.partBytes;
    if (!this.#isOpen || this.#upload.receivedBytes < wanted) return false;
    try {
      return (await this.#upload.readable(wanted)) >= wanted && this.#isOpen;
    } catch (error) {
      // The upload has ended, and its owner knows why.
      if (error instanceof WavecacheError) return false;
      throw error;
    }
  }

  get #isOpen(): boolean {
    return !this.#isOver && !this.#host.isClosing && this.#upload.finishing === undefined;
  }

  async #load(): Promise<Progress> {
    const keptBytes = await this.#upload.ready;
    const { streamId } = this.#upload;
    const stored = keptBytes > 0 ? await this.#host.keeper.call("partsFind", { streamId }) : null;
    if (stored === null || stored.uploadId === null) return nothing();
    const { key, uploadId } = stored;
    const parts = wholeParts(stored.parts);
    return { ref: { key, uploadId }, count: parts.length, bytes: bytesOf(parts) };
  }

  async #storeNext(progress: Progress): Promise<void> {
    const { archiver, partBytes: size, isUnderWay } = this.#host;
    if (!this.#isOpen || this.#upload.receivedBytes < progress.bytes + size) return;
    const ref = (progress.ref ??= await beginParts(this.#host, this.#upload));
    if (ref === undefined) return this.#lose();
    const { count, bytes: offset } = progress;
    const task = { fileKey: this.#upload.key, ref, number: count + 1, offset, size };
    const storing = archiver.call("storePart", task).then((part) => this.#enter(progress, ref, part));
    isUnderWay(ref.key, storing);
    await storing;
  }

  /** `part` is null if the object store has forgotten the upload in parts. */
  async #enter(progress: Progress, ref: PartsRef, part: UploadPart | null): Promise<void> {
    const { keeper, stored } = this.#host;
    const { streamId, key } = this.#upload;
    const upload = { streamId, key };
    failpoint("parts.entering");
    if (part === null) {
      Object.assign(progress, nothing());
      if (!(await keeper.call("partsForget", { upload }))) this.#lose();
      return;
    }
    if (!(await keeper.call("partsRecord", { upload, ref, part }))) return this.#lose();
    failpoint("parts.entered");
    progress.count = part.number;
    progress.bytes += part.size;
    stored(part);
  }

  /** Another node has the stream, or nobody any more. */
  #lose(): void {
    this.#isOver = true;
    this.#upload.evict(new WavecacheError("STREAM_TAKEN_OVER"));
  }
}
