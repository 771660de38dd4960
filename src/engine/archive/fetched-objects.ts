/**
 * Reads of objects that are in the archive alone. Each object that is being read has a sparse file beside the objects, into
 * which the archiver thread brings verified pieces. One fetch serves everybody who waits for the same piece. An object
 * whose pieces are all here becomes a local object once nobody has used it for a moment: its path changes then, and reads
 * that were started must not miss it. An object of another node, and the samples of a recording, stay pieces, and go for
 * want of room.
 */
import { WavecacheError } from "../../base/errors.ts";
import {
  fetchAheadPieces,
  fetchedLookMs,
  fetchPieceBytes,
  maxFetchedObjects,
  maxFetches,
  maxWaitingFetches,
  minFetchedIdleMs,
} from "../../base/limits/archive.ts";
import type { Log } from "../../base/log/log.ts";
import type { Archiver } from "../../pool/archiver.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { FileRef } from "../../pool/reader.ts";
import type { CacheLayout } from "../../store/layout.ts";
import { FetchedObject } from "./fetched-object.ts";
import { RequestSlots } from "./request-slots.ts";

export interface FetchHost {
  keeper: Pick<KeeperClient, "call">;
  archiver: Pick<Archiver, "call">;
  layout: CacheLayout;
  /** A request somebody waited for has succeeded, or failed. */
  answered(error: unknown): void;
  /** Bytes came, or were dropped. Throws FETCHES_EXHAUSTED if so many more have no room here. */
  reserve(bytes: number): void;
  /** A file of pieces goes from its path. */
  forget(path: string): void;
  /** An object is here as a whole. */
  localized(sha256: string): void;
  /** The archive does not have an object as it was. */
  lost(sha256: string, error: WavecacheError): void;
}

export class FetchedObjects {
  /** Since the start: ranges that were here, and ranges that had to be fetched. */
  hits = 0;
  misses = 0;
  fetchedPieces = 0;
  readonly #host: FetchHost;
  readonly #log: Log;
  readonly #slots = new RequestSlots({
    running: maxFetches,
    waiting: maxWaitingFetches,
    refusal: "FETCHES_EXHAUSTED",
  });
  /** By SHA-256, least recently used first. */
  readonly #objects = new Map<string, FetchedObject>();
  readonly #opening = new Map<string, Promise<FetchedObject | undefined>>();
  /** Removals of files that are under way: an object that is fetched again has the same path. */
  readonly #discarding = new Map<string, Promise<void>>();
  #tidying: Promise<void> | undefined;

  constructor(host: FetchHost, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  /** Pieces that are being fetched, and that wait for it. */
  get figures(): { objects: number; fetching: number; waiting: number } {
    return { objects: this.#objects.size, fetching: this.#slots.inUse, waiting: this.#slots.waiting };
  }

  /** The range of an archived object, if it is here already. */
  here({ path }: FileRef, offset: number, length: number): FileRef | undefined {
    const object = this.#objects.get(shaOf(path));
    if (object === undefined || !object.has(offset, length)) return undefined;
    this.#use(object);
    return { path: object.path, immutable: true };
  }

  /**
   * Brings the range here. Rejects with ARCHIVE_UNAVAILABLE, FETCHES_EXHAUSTED, OBJECT_MISSING, OBJECT_DAMAGED, and
   * with STREAM_UNKNOWN if its last stream or recording was removed. A read of
   * the result must begin at once.
   */
  async range(file: FileRef, offset: number, length: number): Promise<FileRef> {
    const known = this.here(file, offset, length);
    if (known !== undefined) {
      this.hits += 1;
      return known;
    }
    this.misses += 1;
    for (;;) {
      const object = await this.#open(shaOf(file.path));
      if (object === undefined) return { path: file.path, immutable: true };
      const pieces = object.piecesOf(offset, length).map((piece) => this.#fetch(object, piece));
      if (object.readsOn(offset)) this.#fetchAhead(object, offset + length);
      await Promise.all(pieces);
      const found = this.here(file, offset, length);
      // It may have become local meanwhile.
      if (found !== undefined) return found;
    }
  }

  /** Makes objects local that are whole, and drops those that nobody uses beyond the limit. Never rejects. */
  tidy(): Promise<void> {
    this.#tidying ??= this.#tidy().finally(() => {
      this.#tidying = undefined;
    });
    return this.#tidying;
  }

  /** Drops idle objects until so many bytes are free. Returns how many it dropped. */
  drop(bytes: number): number {
    let dropped = 0;
    for (const object of this.#objects.values()) {
      if (dropped >= bytes || object.idleMs < minFetchedIdleMs) break;
      dropped += this.#remove(object);
    }
    return dropped;
  }

  /** The stream of an object was removed, or uploaded again. */
  forget(sha256: string): void {
    const object = this.#objects.get(sha256);
    if (object !== undefined) this.#remove(object);
  }

  close(): Promise<void> {
    return this.#tidying ?? Promise.resolve();
  }

  async #tidy(): Promise<void> {
    const idle = [...this.#objects.values()].filter(({ idleMs }) => idleMs >= minFetchedIdleMs);
    for (const object of idle) {
      if (object.isWhole && !object.isForeign) await this.#localize(object);
      else if (this.#objects.size > maxFetchedObjects || (await this.#isGone(object))) this.#remove(object);
    }
  }

  /** Its last stream or recording was removed, by whatever node. */
  async #isGone(object: FetchedObject): Promise<boolean> {
    if (performance.now() - object.lookedAtMs < fetchedLookMs) return false;
    object.lookedAtMs = performance.now();
    try {
      const item = await this.#host.keeper.call("archiveItem", { sha256: object.sha256 });
      return item === null && object.idleMs >= minFetchedIdleMs;
    } catch (error) {
      this.#log.debug("fetched audio could not be looked for in the catalog", { error });
      return false;
    }
  }

  /** Whoever reads it meanwhile waits for the outcome. */
  async #localize(object: FetchedObject): Promise<void> {
    const { sha256, size, path } = object;
    const { archiver, keeper, forget, localized } = this.#host;
    const moved = Promise.withResolvers<undefined>();
    this.#objects.delete(sha256);
    this.#opening.set(sha256, moved.promise);
    this.#host.reserve(-object.bytesHere);
    try {
      await archiver.call("verify", { sha256, size });
      forget(path);
      await keeper.call("localize", { sha256, path });
      localized(sha256);
    } catch (error) {
      this.#log.warn("audio that was read from the archive could not be kept", { sha256, error });
      await this.#discard(object);
    } finally {
      this.#opening.delete(sha256);
      moved.resolve(undefined);
    }
  }

  /** Undefined if the object is local by now. */
  async #open(sha256: string): Promise<FetchedObject | undefined> {
    const known = this.#objects.get(sha256);
    if (known !== undefined) return known;
    const opening = this.#opening.get(sha256) ?? this.#look(sha256);
    this.#opening.set(sha256, opening);
    try {
      return await opening;
    } finally {
      if (this.#opening.get(sha256) === opening) this.#opening.delete(sha256);
    }
  }

  async #look(sha256: string): Promise<FetchedObject | undefined> {
    const item = await this.#host.keeper.call("archiveItem", { sha256 });
    // Otherwise the removal would take the pieces that come from now on.
    while (this.#discarding.has(sha256)) await this.#discarding.get(sha256);
    // Items go with the last stream or recording of their content.
    if (item === null) throw new WavecacheError("STREAM_UNKNOWN", sha256);
    if (item.isLocal) return undefined;
    const object = new FetchedObject(item, this.#host.layout.fetchedPath(sha256));
    this.#objects.set(sha256, object);
    return object;
  }

  /** Single flight. */
  #fetch(object: FetchedObject, piece: number): Promise<void> {
    return object.fetchOnce(piece, () => this.#fetchPiece(object, piece));
  }

  async #fetchPiece(object: FetchedObject, piece: number): Promise<void> {
    const { sha256, size, key } = object;
    const offset = piece * fetchPieceBytes;
    const bytes = Math.min(fetchPieceBytes, size - offset);
    this.#host.reserve(bytes);
    try {
      const task = { sha256, size, key, offset };
      const { isWhole } = await this.#slots.run(() => this.#host.archiver.call("fetch", task));
      this.fetchedPieces += 1;
      this.#host.answered(undefined);
      this.#came(object, isWhole ? "all" : piece, bytes);
    } catch (error) {
      this.#host.reserve(-bytes);
      throw isLoss(error) ? await this.#reasonOf(object, error) : this.#unanswered(error);
    }
  }

  /** A piece is here, or all of them are; `bytes` are reserved. Throws FETCHES_EXHAUSTED if all have no room. */
  #came(object: FetchedObject, piece: number | "all", bytes: number): void {
    if (this.#objects.get(object.sha256) !== object) return this.#cameTooLate(object, bytes);
    try {
      this.#host.reserve(object.newBytes(piece) - bytes);
    } catch (error) {
      this.#remove(object);
      throw error;
    }
    object.add(piece);
  }

  /** The object went while the piece came, which has made its file again. */
  #cameTooLate(object: FetchedObject, bytes: number): void {
    this.#host.reserve(-bytes);
    if (!this.#objects.has(object.sha256)) void this.#discard(object);
  }

  #unanswered(error: unknown): unknown {
    this.#host.answered(error);
    return error;
  }

  /** The archive does not have the object, or not as it was. Returns what to tell who waits for it. */
  async #reasonOf(object: FetchedObject, error: WavecacheError): Promise<WavecacheError> {
    const { sha256, key } = object;
    // Another item may have the same content: the next read looks for it.
    if (error.code === "OBJECT_MISSING" && this.#objects.get(sha256) === object) this.#remove(object);
    const item = await this.#host.keeper.call("archiveItem", { sha256 });
    if (item === null) return new WavecacheError("STREAM_UNKNOWN", sha256);
    if (item.key !== key) return new WavecacheError("ARCHIVE_UNAVAILABLE", `${key} was stored anew`);
    this.#host.lost(sha256, error);
    return error;
  }

  /** Only for who reads on from piece to piece: a seek costs one. */
  #fetchAhead(object: FetchedObject, from: number): void {
    for (const piece of object.missingFrom(from, fetchAheadPieces)) {
      if (this.#slots.isFull) return;
      // Whoever needs the piece asks for it again, and gets the error.
      this.#fetch(object, piece).catch((error: unknown) =>
        this.#log.debug("a piece could not be fetched ahead", { error }),
      );
    }
  }

  #use(object: FetchedObject): void {
    object.use();
    if (this.#objects.delete(object.sha256)) this.#objects.set(object.sha256, object);
  }

  /** Returns the bytes that it frees. */
  #remove(object: FetchedObject): number {
    this.#objects.delete(object.sha256);
    this.#host.reserve(-object.bytesHere);
    void this.#discard(object);
    return object.bytesHere;
  }

  #discard({ sha256, path }: FetchedObject): Promise<void> {
    this.#host.forget(path);
    const discarding = this.#unlink(path).finally(() => {
      if (this.#discarding.get(sha256) === discarding) this.#discarding.delete(sha256);
    });
    this.#discarding.set(sha256, discarding);
    return discarding;
  }

  async #unlink(path: string): Promise<void> {
    try {
      await Bun.file(path).delete();
    } catch (error) {
      this.#log.debug("a file of fetched audio could not be removed", { error });
    }
  }
}

function shaOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function isLoss(error: unknown): error is WavecacheError {
  return (
    error instanceof WavecacheError && (error.code === "OBJECT_MISSING" || error.code === "OBJECT_DAMAGED")
  );
}
