/**
 * Uploads as the catalog knows them: reserved, interrupted, resumed, expired. A row of an earlier run is settled before
 * anybody sees it.
 */
import { WavecacheError } from "../../base/errors.ts";
import type { Drift } from "../check/drift.ts";
import { streamExpired, streamRemoved, streamStarted, uploadInterrupted } from "../events/facts.ts";
import type { IdleUpload, KeeperArgs, KeeperResult, UploadRef } from "../keeper-calls.ts";
import { type StoredUpload, storedBytes } from "../archive/parts/catalog.ts";
import { type CacheLayout, removeFile, sizeOfFile } from "../layout.ts";
import type { Catalog, FoundRows, ListQuery, StreamRow } from "./catalog.ts";
import { isPlain, type StreamSearch } from "./search.ts";
import { settle } from "./settle.ts";

export class UnfinishedStreams {
  readonly #layout: CacheLayout;
  readonly #catalog: Catalog;
  readonly #drift: Drift;

  constructor(layout: CacheLayout, catalog: Catalog, drift: Drift) {
    this.#layout = layout;
    this.#catalog = catalog;
    this.#drift = drift;
  }

  reserve(args: KeeperArgs<"reserve">): null {
    if (!this.#start(args)) throw new WavecacheError("STREAM_EXISTS");
    return null;
  }

  resume(args: KeeperArgs<"resume">): KeeperResult<"resume"> {
    const settled = this.#drift.around(() => this.#settled(args.streamId, args.at));
    if (settled === undefined) {
      if (args.refusal !== null) throw new WavecacheError(args.refusal);
      this.#start(args);
      return { kind: "new" };
    }
    if (settled.otherNode !== undefined && settled.state !== "finished") return this.#takeOver(settled, args);
    if (args.restart) return this.#restart(settled, args);
    if (settled.state === "finished") return { kind: "finished", row: settled };
    this.#catalog.touch(settled.streamId, settled.size, args.at);
    // Otherwise one token could fill the room of another one.
    if (args.account !== null) this.#catalog.accounts.set(settled.streamId, args.account);
    return this.#continue(settled);
  }

  /**
   * The disk of another node is out of reach: the upload continues where the archive has it to, or begins again, and the
   * offset of the answer says so.
   */
  #takeOver(row: StreamRow, args: KeeperArgs<"resume">): KeeperResult<"resume"> {
    const { streamId, metadata } = row;
    if (args.refusal !== null && args.refusal !== "STREAM_UNKNOWN") throw new WavecacheError(args.refusal);
    if (args.asksOwner) return { kind: "elsewhere", node: row.otherNode! };
    if (!this.#catalog.takeOver(row, args.key, args.at)) throw new WavecacheError("CATALOG_BUSY");
    if (args.account !== null) this.#catalog.accounts.set(streamId, args.account);
    const { parts, archive } = this.#catalog;
    if (args.restart || !archive.isOn) parts.end(streamId);
    return { kind: "moved", key: args.key, metadata, isFromOther: true, stored: storedOf(parts, streamId) };
  }

  /** The file may have lost what the archive has, or not be there yet after a crash of a node that took it over. */
  #continue({ streamId, key, size, metadata }: StreamRow): KeeperResult<"resume"> {
    const { parts, archive } = this.#catalog;
    if (sizeOfFile(this.#layout.incomingPath(key)) === undefined)
      return { kind: "moved", key, metadata, isFromOther: false, stored: storedOf(parts, streamId) };
    if (archive.isOn) parts.trim(streamId, size);
    return { kind: "unfinished", key, size, metadata };
  }

  /** A crash between the two steps leaves a row without a file, which is removed when it is settled. */
  #restart(row: StreamRow, args: KeeperArgs<"resume">): KeeperResult<"resume"> {
    if (row.state === "finished") throw new WavecacheError("STREAM_FINISHED");
    this.#catalog.remove(row.streamId);
    streamRemoved(this.#catalog.events, row, "restart");
    removeFile(this.#layout.incomingPath(row.key));
    this.#start(args);
    return { kind: "restarted", discardedBytes: row.size };
  }

  declareSize({ streamId, size }: KeeperArgs<"declareSize">): null {
    this.#catalog.declareSize(streamId, size);
    return null;
  }

  /** False if the id is in use. */
  #start({ streamId, key, at, metadata, account }: KeeperArgs<"reserve">): boolean {
    if (!this.#catalog.reserve(streamId, key, at, metadata)) return false;
    if (account !== null) this.#catalog.accounts.set(streamId, account);
    streamStarted(this.#catalog.events, streamId, metadata, at);
    return true;
  }

  /** The caller knows from the answer how the totals changed: no drift. */
  leave(args: KeeperArgs<"leave">): StreamRow | null {
    const left = this.#settled(args.streamId, args.at);
    if (left?.otherNode !== undefined) return null;
    if (left?.state !== "unfinished") return left ?? null;
    this.#catalog.touch(left.streamId, left.size, args.at);
    uploadInterrupted(this.#catalog.events, left, args.at);
    return left;
  }

  find({ streamId }: KeeperArgs<"find">): StreamRow | null {
    const row = this.#catalog.find(streamId);
    return row === undefined ? null : (this.#shown(row) ?? null);
  }

  /** By the id, or else by the name. */
  lookUp({ idOrName }: KeeperArgs<"lookUp">): StreamRow | null {
    const row = this.#catalog.find(idOrName) ?? this.#catalog.findNamed(idOrName);
    return row === undefined ? null : (this.#shown(row) ?? null);
  }

  /** A page is full as long as there are more streams: rows that turn out to have no file are replaced by others. */
  list(query: ListQuery): StreamRow[] {
    const rows = this.#catalog.list(query).map((row) => this.#shown(row));
    const shown = rows.filter((row) => row !== undefined);
    return shown.length === rows.length ? shown : this.list(query);
  }

  /** Rows that turn out to have no file are left out. */
  search(query: KeeperArgs<"search">): KeeperResult<"search"> {
    if (isPlain(query)) return this.#listed(query);
    const { streamIds, next, total } = this.#catalog.search(query);
    const rows = this.#catalog.findAll(streamIds).map((row) => this.#shown(row));
    return { rows: rows.filter((row) => row !== undefined), next, total };
  }

  idle({ ms, limit }: KeeperArgs<"idle">): IdleUpload[] {
    return this.#catalog.idleFor(ms, limit).map(({ streamId, key, size }) => ({ streamId, key, size }));
  }

  /** The list in its own order needs no index of the search. */
  #listed({ state, after, limit }: StreamSearch): FoundRows {
    const rows = this.list({ state, after: String(after?.value ?? ""), limit });
    const last = rows.length === limit ? rows.at(-1) : undefined;
    const next = last === undefined ? undefined : { value: last.streamId, doc: 0 };
    const { finished, unfinished } = this.#catalog.counts();
    const total = { finished, unfinished, all: finished + unfinished }[state ?? "all"];
    return { rows, next, total };
  }

  expire({ expired, inUse, reason, at }: KeeperArgs<"expire">): KeeperResult<"expire"> {
    for (const row of this.#unfinished(inUse)) this.#catalog.touch(row.streamId, row.size, at);
    const removed = this.#unfinished(expired);
    for (const row of removed) {
      this.#catalog.remove(row.streamId);
      streamExpired(this.#catalog.events, row, reason, at);
      removeFile(this.#layout.incomingPath(row.key));
    }
    return {
      streamIds: removed.map((row) => row.streamId),
      bytes: removed.reduce((sum, row) => sum + row.size, 0),
    };
  }

  #unfinished(uploads: UploadRef[]): StreamRow[] {
    return uploads
      .map(({ streamId, key }) => ({ key, row: this.#catalog.find(streamId) }))
      .filter(({ key, row }) => row?.state === "unfinished" && row.key === key && row.otherNode === undefined)
      .map(({ row }) => row!);
  }

  /** The row of a stream that nobody uploads now, in step with its file. */
  #settled(streamId: string, at: number): StreamRow | undefined {
    const row = this.#catalog.find(streamId);
    if (row === undefined || row.state === "finished" || row.otherNode !== undefined) return row;
    return settle(this.#layout, this.#catalog, row, at).row;
  }

  /** The row as a reader may see it. */
  #shown(row: StreamRow): StreamRow | undefined {
    if (row.state !== "unfinished" || row.otherNode !== undefined) return row;
    if (this.#catalog.trustIn(row) === "row") return row;
    // A writer may still have a distrusted file open: it must not be truncated before the upload is over.
    if (row.epoch < 0) return { ...row, size: Math.min(row.size, row.durableBytes) };
    return this.#drift.around(() => settle(this.#layout, this.#catalog, row, row.updatedAt).row);
  }
}

/** Undefined if the archive has nothing of it. */
function storedOf(parts: Catalog["parts"], streamId: string): StoredUpload | undefined {
  const stored = parts.find(streamId);
  return stored === undefined || storedBytes(stored) === 0 ? undefined : stored;
}
