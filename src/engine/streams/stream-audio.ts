/**
 * The audio of a stream, read piece by piece or sent as a file. A finished stream is sent from its object as soon as the
 * range is verified; a growing one from the file of its upload. An upload that finishes meanwhile moves its audio,
 * unchanged, to an object: then reads continue there.
 */
import { maxVerificationMs, verifiedAtOnceBytes, verifiedPieceBytes } from "../../base/limits/audio-http.ts";
import type { RequestContext } from "../../base/request-context.ts";
import { WavecacheError } from "../../base/errors.ts";
import type { FileRef, ReadSink } from "../../pool/reader.ts";
import { HeldFile } from "../../store/held-file.ts";
import { isMissing } from "../../store/layout.ts";
import type { Readable } from "./readable-streams.ts";
import { VerifiedObjects } from "./verified-objects.ts";
import { readInto } from "./read-into.ts";

export interface VerifyingReader {
  read(file: FileRef, offset: number, length: number, sink: ReadSink): void;
  resident(file: FileRef, offset: number, length: number): Uint8Array | undefined;
  verify(path: string, offset: number, length: number): Promise<string>;
}

export interface VerifyingReaders {
  assign(): VerifyingReader;
  /** Closes the file, so that the next read opens it anew. */
  forget(path: string): void;
  /** Brings a range of an archived object here. The result has to be opened at once. */
  bring(file: FileRef, offset: number, length: number): FileRef | Promise<FileRef>;
}

/** Where streams are found. */
export interface StreamPlaces {
  locate(streamId: string, wantedBytes: number): Promise<Readable>;
  /** Retention keeps the stream until the returned function is called. */
  hold(streamId: string, context?: RequestContext): () => void;
}

/** Opens the audio of streams. */
export class StreamAudios {
  readonly #readers: VerifyingReaders;
  readonly #streams: StreamPlaces;
  readonly #verified = new VerifiedObjects();

  constructor(readers: VerifyingReaders, streams: StreamPlaces) {
    this.#readers = readers;
    this.#streams = streams;
  }

  /** `readable` is what `locate` has found. The caller closes the audio. */
  open(streamId: string, readable: Readable, context?: RequestContext): StreamAudio {
    const host = {
      verified: this.#verified,
      locate: () => this.#streams.locate(streamId, 0),
      forget: (path: string) => this.#readers.forget(path),
      release: this.#streams.hold(streamId, context),
    };
    return new StreamAudio(readable, this.#readers.assign(), host);
  }
}

interface StreamAudioHost {
  readonly verified: VerifiedObjects;
  locate(): Promise<Readable>;
  forget(path: string): void;
  /** The stream is not being read any more. */
  release(): void;
}

export class StreamAudio {
  readonly #host: StreamAudioHost;
  readonly #reader: VerifyingReader;
  #readable: Readable;

  constructor(readable: Readable, reader: VerifyingReader, host: StreamAudioHost) {
    this.#readable = readable;
    this.#reader = reader;
    this.#host = host;
  }

  /** Rejects with OBJECT_DAMAGED, OBJECT_MISSING and the like. */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#relocatedIfMoved(() => this.#read(offset, length));
  }

  /** Undefined if the range cannot be verified in a short time. It can always be read. */
  async openRange(offset: number, length: number): Promise<OpenRange | undefined> {
    return await this.#relocatedIfMoved(() => this.#openRange(offset, length));
  }

  /** The readers keep the file open for others. */
  async close(): Promise<void> {
    this.#host.release();
  }

  async #relocatedIfMoved<T>(attempt: () => Promise<T>): Promise<T> {
    const before = this.#readable;
    try {
      return await attempt();
    } catch (error) {
      if (before.file.immutable || !isMoved(error)) throw error;
      const found = await this.#host.locate();
      if (found.key !== before.key || !found.file.immutable) throw error;
      this.#readable = found;
      return await attempt();
    }
  }

  async #read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const { file } = this.#readable;
    const bytes = new Uint8Array(length);
    const resident = this.#reader.resident(file, offset, length);
    if (resident === undefined) await readInto(this.#reader, file, offset, bytes);
    else bytes.set(resident);
    return bytes;
  }

  async #openRange(offset: number, length: number): Promise<OpenRange | undefined> {
    const { file } = this.#readable;
    // Its pieces come as they are read.
    if (file.isArchived === true) return undefined;
    const held = await hold(file);
    if (held === undefined) {
      // A reader may have the file open that was there before.
      this.#host.forget(file.path);
      return undefined;
    }
    try {
      if (!file.immutable || (await this.#isVerified(held.identity, offset, offset + length)))
        return { path: held.path, isImmutable: file.immutable, close: () => held.close() };
    } catch (error) {
      await held.close();
      throw error;
    }
    await held.close();
    return undefined;
  }

  /** Verifies what is not verified yet. False if that takes too long, or another program changes the file meanwhile. */
  async #isVerified(identity: string, offset: number, end: number): Promise<boolean> {
    const { verified } = this.#host;
    const { file, size } = this.#readable;
    const deadline = performance.now() + maxVerificationMs;
    let isReopened = false;
    for (;;) {
      const from = verified.firstUnverified(file.path, identity, offset, end);
      if (from === undefined) return true;
      if (performance.now() > deadline) return false;
      const to = Math.min(from + verifiedAtOnceBytes, endOfPiece(end));
      const found = await this.#reader.verify(file.path, from, to - from);
      if (found === identity) verified.add(file.path, identity, size, from, to);
      else if (isReopened || found === "") return false;
      else {
        this.#host.forget(file.path);
        isReopened = true;
      }
    }
  }
}

export interface OpenRange {
  path: string;
  isImmutable: boolean;
  close(): Promise<void>;
}

/** Undefined for an object that is not there, or no file: the read of it reports the damage. */
async function hold({ path, immutable }: FileRef): Promise<HeldFile | undefined> {
  try {
    return await HeldFile.open(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (immutable) return undefined;
    throw new WavecacheError("OBJECT_MISSING", path);
  }
}

/** The end of the piece that has the byte before `end`. */
function endOfPiece(end: number): number {
  return Math.ceil(end / verifiedPieceBytes) * verifiedPieceBytes;
}

function isMoved(error: unknown): boolean {
  return error instanceof WavecacheError && error.code === "OBJECT_MISSING";
}
