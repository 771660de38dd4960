/** The uploads of one writer thread, by slot. */
import { errorNumber, toWavecacheError } from "../../../src/base/errors.ts";
import type { BlockingEnd } from "../../../src/lane/blocking-end.ts";
import {
  type Body,
  decodeOpen,
  encodeFailure,
  encodeKept,
  encodeNumber,
  encodeSealed,
  WRITE_CLOSE,
  WRITE_CLOSED,
  WRITE_DATA,
  WRITE_FAILED,
  WRITE_FENCE,
  WRITE_FENCED,
  WRITE_OPEN,
  WRITE_OPENED,
  WRITE_SEAL,
  WRITE_SEALED,
} from "../../../src/lane/messages/streams.ts";
import { IncomingFile } from "../../../src/store/streams/incoming.ts";
import { writeSums } from "../../../src/store/streams/sums/files.ts";
import { type CacheLayout, removeFile } from "../../../src/store/layout.ts";
import type { Jobs } from "../../lane-loop.ts";

interface Upload {
  path: string;
  /** Undefined if the file could not be opened. */
  file: IncomingFile | undefined;
  /** Failed or sealed: data is discarded until the slot is closed. */
  isEnded: boolean;
}

export class UploadJobs implements Jobs {
  readonly #lane: BlockingEnd;
  readonly #layout: CacheLayout;
  readonly #uploads = new Map<number, Upload>();
  /** Slots of resumed uploads whose kept bytes are being hashed, one block of each at a time. */
  readonly #rehashing: number[] = [];
  readonly #block = IncomingFile.rehashBlock();

  constructor(lane: BlockingEnd, layout: CacheLayout) {
    this.#lane = lane;
    this.#layout = layout;
  }

  run(kind: number, slot: number, body: Body): void {
    switch (kind) {
      case WRITE_DATA:
        return this.#append(slot, body);
      case WRITE_OPEN:
        return this.#open(slot, body);
      case WRITE_FENCE:
        return this.#send(WRITE_FENCED, slot, encodeNumber(this.#uploads.get(slot)?.file?.size ?? 0));
      case WRITE_SEAL:
        return this.#seal(slot);
      case WRITE_CLOSE:
        return this.#close(slot, body.bytes[body.offset] === 1);
      default:
        throw new RangeError(`a writer has no task of kind ${kind}`);
    }
  }

  background(): boolean {
    const slot = this.#rehashing.shift();
    if (slot === undefined) return false;
    const upload = this.#uploads.get(slot);
    if (upload?.file === undefined || upload.isEnded) return this.#rehashing.length > 0;
    const file = upload.file;
    this.#guard(slot, upload, () => {
      if (file.rehash(this.#block)) this.#sendOpened(slot, file);
      else this.#rehashing.push(slot);
    });
    return this.#rehashing.length > 0;
  }

  close(): void {
    for (const upload of this.#uploads.values()) upload.file?.close();
    this.#uploads.clear();
  }

  #open(slot: number, body: Body): void {
    const { flag: resume, text: key } = decodeOpen(body);
    const path = this.#layout.incomingPath(key);
    const upload: Upload = { path, file: undefined, isEnded: false };
    this.#uploads.set(slot, upload);
    this.#guard(slot, upload, () => {
      upload.file = resume ? IncomingFile.reopen(path) : IncomingFile.create(path);
      if (upload.file.size > 0) this.#rehashing.push(slot);
      else this.#sendOpened(slot, upload.file);
    });
  }

  #sendOpened(slot: number, file: IncomingFile): void {
    this.#send(WRITE_OPENED, slot, encodeKept(file.size, file.digest()));
  }

  #append(slot: number, body: Body): void {
    const upload = this.#uploads.get(slot);
    if (upload?.file === undefined || upload.isEnded) return;
    try {
      upload.file.append(body.bytes, body.offset, body.length);
    } catch (error) {
      this.#fail(slot, upload, error);
    }
  }

  #seal(slot: number): void {
    const upload = this.#uploads.get(slot);
    if (upload?.file === undefined || upload.isEnded) return;
    const file = upload.file;
    this.#guard(slot, upload, () => {
      const { size, digest, format, sums } = file.seal();
      // Before the commit, so that the first read of the object finds them.
      if (size > 0) writeSums(this.#layout, digest.toHex(), sums);
      upload.isEnded = true;
      this.#send(WRITE_SEALED, slot, encodeSealed(size, digest, format));
    });
  }

  #close(slot: number, discard: boolean): void {
    const upload = this.#uploads.get(slot);
    this.#uploads.delete(slot);
    upload?.file?.close();
    if (discard && upload !== undefined) removeFile(upload.path);
    this.#send(WRITE_CLOSED, slot, encodeNumber(upload?.file?.size ?? 0));
  }

  #guard(slot: number, upload: Upload, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fail(slot, upload, error);
    }
  }

  /** One failure per slot. The file is closed with what is in it. */
  #fail(slot: number, upload: Upload, error: unknown): void {
    upload.isEnded = true;
    upload.file?.close();
    const { code, detail } = toWavecacheError(error);
    this.#send(WRITE_FAILED, slot, encodeFailure({ number: errorNumber(code), detail: detail ?? "" }));
  }

  #send(kind: number, slot: number, body: Uint8Array): void {
    const at = this.#lane.reserveResult(kind, slot, body.length);
    this.#lane.results.bytes.set(body, at);
  }
}
