/** One reader thread, seen from the main thread: which files it has open, and who waits for its answers. */
import { readDataRingBytes, readRequestRingBytes } from "../base/limits/lanes.ts";
import { type ErrorCode, errorOfNumber, WavecacheError } from "../base/errors.ts";
import { Lru } from "../base/lru.ts";
import {
  type Body,
  decodeFailure,
  encodeNumbers,
  encodeOpen,
  READ_CHECK,
  READ_CLOSE,
  READ_FAILED,
  READ_LAST,
  READ_OPEN,
  READ_PART,
  READ_RANGE,
  READ_VERIFY,
  READ_VOID,
} from "../lane/messages/streams.ts";
import type { ResidentFiles } from "./resident.ts";
import {
  type PoolThreadSettings,
  SupervisedThread,
  type ThreadFigures,
  type ThreadOwner,
} from "./supervised-thread.ts";

/** A file to read from: an object, which is immutable and verified, or the growing file of an upload. */
export interface FileRef {
  path: string;
  immutable: boolean;
  /** The object is in the archive alone, as far as is known: ranges of it are elsewhere, or have to be fetched. */
  isArchived?: boolean;
}

/** Receives the answer to one read: its parts in order, up to the one marked `last`, or a failure. */
export interface ReadSink {
  /** `audio` is a view of shared memory that is valid until this returns. */
  part(audio: Uint8Array, last: boolean): void;
  failed(error: WavecacheError): void;
}

/** An object could not be read, because it is damaged or missing. */
export type DamageListener = (path: string, error: WavecacheError) => void;

export interface ReaderSettings extends PoolThreadSettings {
  name: string;
  maxOpenFiles: number;
  resident: ResidentFiles;
  onDamage: DamageListener;
}

const damageCodes: ReadonlySet<ErrorCode> = new Set(["OBJECT_DAMAGED", "OBJECT_MISSING"]);
const emptyBody = new Uint8Array(0);

interface Read {
  file: FileRef;
  sink: ReadSink;
  /** Somebody wants the audio, not only its verification. */
  hasAudio: boolean;
}

export class Reader implements ThreadOwner {
  readonly #resident: ResidentFiles;
  readonly #onLost: (reason: string) => void;
  readonly #onDamage: DamageListener;
  readonly #thread: SupervisedThread;
  /** Reads without a complete answer, oldest first. The thread answers in this order. */
  #reads: Read[] = [];
  /** Handles of the files that the thread has open, by path. */
  readonly #handles: Lru<number>;
  #nextHandle = 1;

  constructor(settings: ReaderSettings) {
    const { entry, name, cacheDir, maxOpenFiles } = settings;
    this.#resident = settings.resident;
    this.#onDamage = settings.onDamage;
    this.#onLost = settings.onLost;
    this.#handles = new Lru(maxOpenFiles, (_path, handle) => this.#closeFile(handle));
    this.#thread = new SupervisedThread(
      {
        entry,
        name,
        start: { cacheDir },
        taskRingBytes: readRequestRingBytes,
        resultRingBytes: readDataRingBytes,
      },
      this,
    );
  }

  /** Reads `length` bytes (1 or more) from `offset`; the file must have them. Calls the sink only after this returns. */
  read(file: FileRef, offset: number, length: number, sink: ReadSink): void {
    this.#send(READ_RANGE, [offset, length], { file, sink, hasAudio: true });
  }

  /**
   * Verifies a range of an object. All ranges have to be checked in order, from the beginning, and before `forget`.
   * `size` is that of the whole object. Rejects with OBJECT_DAMAGED, OBJECT_MISSING, or another error.
   */
  check(path: string, offset: number, length: number, size: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sink = { part: () => resolve(), failed: reject };
    const read = { file: { path, immutable: true }, sink, hasAudio: false };
    this.#send(READ_CHECK, [offset, length, size], read);
    return promise;
  }

  /**
   * Verifies a range of an object, which starts with a whole block. Resolves with the identity of the file that it found
   * right (`identityOf`), or with "" while an object without checksums is still being hashed. Rejects like `check`.
   */
  verify(path: string, offset: number, length: number): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const sink = {
      part: (identity: Uint8Array) => resolve(Buffer.from(identity).toString()),
      failed: reject,
    };
    this.#send(READ_VERIFY, [offset, length], { file: { path, immutable: true }, sink, hasAudio: false });
    return promise;
  }

  /** The range at once, if its file is an object and the whole range is in memory. The view is valid until the next call. */
  resident(file: FileRef, offset: number, length: number): Uint8Array | undefined {
    return file.immutable ? this.#resident.view(file.path, offset, length) : undefined;
  }

  figures(): ThreadFigures {
    return this.#thread.figures();
  }

  forget(path: string): void {
    const handle = this.#handles.delete(path);
    if (handle !== undefined && !this.#thread.isDead) this.#closeFile(handle);
  }

  onResult(kind: number, _subject: number, body: Body): void {
    if (kind === READ_VOID) return;
    const { file, sink, hasAudio } = this.#reads[0]!;
    if (kind === READ_PART) return sink.part(view(body), false);
    this.#reads.shift();
    if (kind === READ_LAST) {
      if (file.immutable && hasAudio) this.#resident.admit(file.path);
      return sink.part(view(body), true);
    }
    if (kind !== READ_FAILED) throw new RangeError(`a reader has no result of kind ${kind}`);
    const failure = decodeFailure(body);
    const error = errorOfNumber(failure.number, failure.detail);
    if (file.immutable && damageCodes.has(error.code)) this.#onDamage(file.path, error);
    sink.failed(error);
  }

  /** Requests that do not fit wait in the lane: no feeder is held. */
  onRoom(): void {}

  onLost(reason: string): void {
    const reads = this.#reads;
    this.#reads = [];
    this.#handles.clear();
    this.#onLost(reason);
    for (const { sink } of reads) sink.failed(new WavecacheError("WORKER_LOST", reason));
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  #send(kind: number, numbers: number[], read: Read): void {
    if (this.#thread.isDead) {
      const error = new WavecacheError("WORKER_LOST", "the reader is starting again");
      return queueMicrotask(() => read.sink.failed(error));
    }
    const handle = this.#handleOf(read.file);
    this.#reads.push(read);
    this.#thread.lane.send(kind, handle, encodeNumbers(...numbers));
  }

  #handleOf(file: FileRef): number {
    const open = this.#handles.get(file.path);
    if (open !== undefined) return open;
    const handle = this.#nextHandle++;
    this.#handles.set(file.path, handle);
    this.#thread.lane.send(READ_OPEN, handle, encodeOpen(file.immutable, file.path));
    return handle;
  }

  /** Reads sent before this are answered first: a lane keeps its order. */
  #closeFile(handle: number): void {
    this.#thread.lane.send(READ_CLOSE, handle, emptyBody);
  }
}

function view(body: Body): Uint8Array {
  return body.bytes.subarray(body.offset, body.offset + body.length);
}
