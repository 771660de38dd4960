/** The catalog of streams in a database, SQLite or PostgreSQL, and the catalogs beside it. The engines' classes extend it. */
import { type Boot, isSameBoot } from "../../../base/system/boot.ts";
import type { AbandonedRows } from "../../nodes/abandoned.ts";
import type { NodeTasks } from "../../nodes/tasks.ts";
import { SqlParts } from "../../archive/parts/sql.ts";
import { SqlArchive } from "../../archive/sql.ts";
import { SqlDevices } from "../../devices/sql.ts";
import { SqlClaims } from "../../events/claims.ts";
import { SqlDeliveries } from "../../events/deliveries.ts";
import { SqlEvents } from "../../events/sql.ts";
import { SqlJoins } from "../../recordings/joins/sql.ts";
import { SqlOverviews } from "../../recordings/peaks/sql.ts";
import { SqlSpans } from "../../recordings/sounds/sql.ts";
import { SqlRecordings } from "../../recordings/sql.ts";
import { SqlRetention } from "../../retention/sql.ts";
import { RunningTime } from "../../running-time.ts";
import { type Dialect, otherNode, type SqlDatabase } from "../../sql/database.ts";
import { SharedKeys } from "../../sessions/shared-keys.ts";
import { SqlSessions } from "../../sessions/sql.ts";
import { SqlTokens } from "../../tokens/sql.ts";
import type {
  Catalog,
  FinishedStream,
  ListQuery,
  ObjectPosition,
  ObjectRow,
  SealedStream,
  StoredObject,
  StreamCounts,
  StreamRow,
  StreamState,
  Totals,
  Trust,
} from "../catalog.ts";
import {
  type AudioProperties,
  metadataFromJson,
  metadataToJson,
  noMetadata,
  type StreamMetadata,
} from "../metadata.ts";
import type { FoundStreams, StreamSearch } from "../search.ts";
import { SqlAccounts } from "./accounts.ts";
import { type EngineQueries, prepareStatements, type SqlRow, type Statements } from "./statements.ts";

const stateNames: StreamState[] = ["unfinished", "sealed", "finished"];

/** Facts of `meta` that belong to the catalog itself. */
const runningMsFact = "running_ms";
const epochFact = "epoch";
/** The first run of this boot of the system. */
const bootEpochFact = "boot_epoch";
/** The last id that `fillSearch` has added, or `filled` once there are no more. */
const searchFact = "search_after";
const filled = "/";

/** What each engine brings of its own. */
export interface SearchIndex {
  /** `countAll` counts the streams in the state of the query. */
  find(query: StreamSearch, countAll: () => number): FoundStreams;
  /** Adds streams after this id. Returns the last id added; undefined at the end. */
  fill(after: string, limit: number): string | undefined;
  /** The metadata of a stream is new. */
  describe(streamId: string, metadata: StreamMetadata): void;
}

export abstract class SqlCatalog implements Catalog {
  abstract readonly isNew: boolean;
  abstract readonly isShared: boolean;
  readonly #statements: Statements;
  readonly #search: SearchIndex;
  readonly #runningTime: RunningTime;
  /** In the same database, so that they take part in the same transactions. */
  readonly recordings: SqlRecordings;
  readonly overviews: SqlOverviews;
  readonly sounds: SqlSpans;
  readonly joins: SqlJoins;
  readonly devices: SqlDevices;
  readonly events: SqlEvents;
  readonly deliveries: SqlDeliveries;
  readonly claims: SqlClaims;
  readonly tokens: SqlTokens;
  readonly sessions: SqlSessions;
  readonly keys: SharedKeys;
  readonly accounts: SqlAccounts;
  readonly retention: SqlRetention;
  readonly archive: SqlArchive;
  abstract readonly tasks: NodeTasks;
  abstract readonly abandoned: AbandonedRows;
  readonly parts: SqlParts;
  readonly #toRow: (row: SqlRow) => StreamRow;
  #epoch: number;
  #bootEpoch: number;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase, queries: EngineQueries, search: SearchIndex, monotonicMs: () => number) {
    this.#statements = prepareStatements(database, queries);
    this.#search = search;
    this.#toRow = (row) => toRow(row, database.dialect);
    this.recordings = new SqlRecordings(database);
    this.overviews = new SqlOverviews(database);
    this.sounds = new SqlSpans(database);
    this.joins = new SqlJoins(database, (id) => this.recordings.find(id));
    this.devices = new SqlDevices(database);
    this.events = new SqlEvents(database);
    this.deliveries = new SqlDeliveries(database);
    this.claims = new SqlClaims(database);
    this.tokens = new SqlTokens(database);
    this.sessions = new SqlSessions(database);
    this.keys = new SharedKeys(database);
    this.accounts = new SqlAccounts(database);
    this.retention = new SqlRetention(database);
    this.archive = new SqlArchive(database);
    this.parts = new SqlParts(database);
    this.#runningTime = new RunningTime(this.#number(runningMsFact), monotonicMs);
    this.#epoch = this.#number(epochFact);
    this.#bootEpoch = this.#number(bootEpochFact);
  }

  abstract transaction<T>(change: () => T, durable: boolean, otherNodes?: readonly string[]): T;
  abstract close(): void;
  abstract abandon(): void;
  abstract lock(streamIds: readonly string[]): void;
  abstract takeOver(row: StreamRow, key: string, at: number): boolean;

  find(streamId: string): StreamRow | undefined {
    const row = this.#statements.find.get(streamId);
    return row === null ? undefined : this.#toRow(row);
  }

  findAll(streamIds: readonly string[]): StreamRow[] {
    if (streamIds.length === 0) return [];
    const rows = this.#statements.findAll.all(JSON.stringify(streamIds)).map(this.#toRow);
    const byId = new Map(rows.map((row) => [row.streamId, row]));
    return streamIds.flatMap((streamId) => byId.get(streamId) ?? []);
  }

  findNamed(name: string): StreamRow | undefined {
    const rows = this.#statements.named.all(name.slice(name.lastIndexOf("/") + 1), name);
    return rows.length === 1 ? this.#toRow(rows[0]!) : undefined;
  }

  reserve(streamId: string, key: string, at: number, metadata: StreamMetadata = noMetadata): boolean {
    const json = metadataToJson(metadata);
    const { changes } = this.#statements.reserve.run(
      streamId,
      key,
      json,
      at,
      at,
      this.runningMs(),
      this.#epoch,
    );
    if (changes === 0) return false;
    this.#search.describe(streamId, metadata);
    return true;
  }

  touch(streamId: string, size: number, at: number): void {
    this.#statements.touch.run(size, at, this.runningMs(), streamId);
  }

  declareSize(streamId: string, size: number | undefined): void {
    const row = this.find(streamId);
    if (row?.state !== "unfinished") return;
    const json = metadataToJson({ ...row.metadata, declaredSize: size });
    this.#statements.setMetadata.run(json, streamId);
  }

  markDurable(streamId: string, key: string, bytes: number): void {
    this.#statements.markDurable.run(bytes, streamId, key);
  }

  seal(stream: SealedStream, at: number): boolean {
    const { size, sha256, format, streamId } = stream;
    return this.#statements.seal.run(size, sha256, format, at, streamId).changes === 1;
  }

  unseal(streamId: string, size: number, at: number): void {
    this.#statements.unseal.run(size, at, this.#epoch, streamId);
  }

  finish(streamId: string, at: number): void {
    if (this.archive.isOn) this.parts.adopt(streamId, at);
    this.#statements.finish.run(at, at, streamId);
    if (this.archive.isOn) this.parts.end(streamId);
  }

  enter(stream: FinishedStream): boolean {
    const { streamId, key, size, sha256, format, createdAt, finishedAt } = stream;
    const metadata = metadataToJson(stream.metadata);
    const audio = audioToJson(stream.audio);
    const { enter } = this.#statements;
    const { changes } = enter.run(
      streamId,
      key,
      size,
      sha256,
      format,
      metadata,
      audio,
      createdAt,
      finishedAt,
      stream.isPinned === true ? 1 : 0,
    );
    // The id may have another stream, which keeps its account.
    if (changes === 0) return false;
    if (stream.account !== undefined) this.accounts.set(streamId, stream.account);
    this.#search.describe(streamId, stream.metadata);
    return true;
  }

  describe(streamId: string, key: string, metadata: StreamMetadata, audio: AudioProperties | null): void {
    const json = metadataToJson(metadata);
    const { changes } = this.#statements.describe.run(json, audioToJson(audio), streamId, key);
    if (changes > 0) this.#search.describe(streamId, metadata);
  }

  remove(streamId: string): void {
    this.#statements.remove.run(streamId);
  }

  removeFinished(streams: readonly Pick<StreamRow, "streamId" | "key">[], evenPinned: boolean): string[] {
    const ids = JSON.stringify(streams.map(({ streamId }) => streamId));
    const keys = JSON.stringify(streams.map(({ key }) => key));
    return this.#statements.removeFinished.all(ids, keys, evenPinned ? 1 : 0).map(({ id }) => id);
  }

  hasObject(sha256: string, exceptStreamId: string): boolean {
    return this.#statements.hasObject.get(sha256, exceptStreamId) !== null;
  }

  hasKey(key: string): boolean {
    return this.#statements.hasKey.get(key) !== null;
  }

  streamsOf(sha256: string, limit: number): StreamRow[] {
    return this.#statements.streamsOf.all(sha256, limit).map(this.#toRow);
  }

  hasFinished(sha256: string): boolean {
    return this.#statements.hasFinished.get(sha256) !== null;
  }

  list({ state, after, limit }: ListQuery): StreamRow[] {
    const { listAll, listFinished, listUnfinished } = this.#statements;
    if (state === "finished") return listFinished.all(after, limit).map(this.#toRow);
    if (state === "unfinished") return listUnfinished.all(after, limit).map(this.#toRow);
    return listAll.all(after, limit).map(this.#toRow);
  }

  ownFinished(after: string, limit: number): StreamRow[] {
    return this.#statements.ownFinished.all(after, limit).map(this.#toRow);
  }

  search(query: StreamSearch): FoundStreams {
    return this.#search.find(query, () => {
      const { finished, unfinished } = this.counts();
      return { finished, unfinished, all: finished + unfinished }[query.state ?? "all"];
    });
  }

  undescribed(limit: number): StreamRow[] {
    return this.#statements.undescribed.all(limit).map(this.#toRow);
  }

  fillSearch(limit: number): boolean {
    const after = this.meta(searchFact) ?? "";
    if (after === filled) return false;
    const last = this.#search.fill(after, limit);
    this.setMeta(searchFact, last ?? filled);
    return last !== undefined;
  }

  idleFor(ms: number, limit: number): StreamRow[] {
    return this.#statements.idle.all(this.runningMs() - ms, limit).map(this.#toRow);
  }

  totals(): Totals {
    return this.#statements.totals.get()!;
  }

  counts(): StreamCounts {
    return this.#statements.counts.get()!;
  }

  sealed(): StreamRow[] {
    return this.#statements.sealed.all().map(this.#toRow);
  }

  unsettled(afterStreamId: string, limit: number): StreamRow[] {
    return this.#statements.unsettled.all(afterStreamId, this.#epoch, limit).map(this.#toRow);
  }

  objects(prefix: string, after: ObjectPosition | undefined, limit: number): ObjectRow[] {
    const { sha256, streamId } = after ?? { sha256: prefix, streamId: "" };
    // "g" follows the hexadecimal digits.
    const rows = this.#statements.objects.all(`${prefix}g`, sha256, streamId, limit);
    return rows.map(({ id, sha256, state, size }) => ({
      streamId: id,
      sha256,
      state: stateNames[state]!,
      size,
    }));
  }

  nextObjects(after: string, limit: number): StoredObject[] {
    const rows = this.#statements.nextObjects.all(after, limit);
    return rows.map(({ sha256, size, damaged }) => ({ sha256, size, isDamaged: damaged === 1 }));
  }

  markDamaged(sha256: string, isDamaged: boolean): string[] {
    return this.#statements.markDamaged.all(isDamaged ? 1 : 0, sha256).map(({ id }) => id);
  }

  countDamaged(): number {
    return this.#statements.countDamaged.get()!.count;
  }

  startRun(boot: Boot): void {
    const before = this.#statements.boot.get();
    this.#epoch += 1;
    this.setMeta(epochFact, String(this.#epoch));
    if (before !== null && !isSameBoot({ id: before.id, startedAt: before.started_at }, boot)) {
      this.#bootEpoch = this.#epoch;
      this.setMeta(bootEpochFact, String(this.#epoch));
    }
    this.#statements.setBoot.run(1, boot.id, boot.startedAt);
  }

  trustIn({ epoch }: StreamRow): Trust {
    if (epoch === this.#epoch) return "row";
    return epoch >= this.#bootEpoch ? "file" : "durable bytes";
  }

  settle(streamId: string, size: number): void {
    this.#statements.settle.run(size, this.#epoch, streamId);
  }

  distrust(streamId: string, key: string): void {
    this.#statements.distrust.run(streamId, key);
  }

  distrustAll(): void {
    this.#statements.distrustAll.run();
  }

  runningMs(): number {
    return this.#runningTime.ms;
  }

  meta(name: string): string | undefined {
    return this.#statements.meta.get(name)?.value;
  }

  setMeta(name: string, value: string | undefined): void {
    if (value === undefined) this.#statements.removeMeta.run(name);
    else this.#statements.setMeta.run(name, value);
  }

  protected toRow(row: SqlRow): StreamRow {
    return this.#toRow(row);
  }

  /** The run of the store that new rows belong to. */
  protected get epoch(): number {
    return this.#epoch;
  }

  /** Call it at the end of a transaction. */
  protected saveRunningTimeIfDue(): void {
    if (this.#runningTime.isSaveDue) this.saveRunningTime();
  }

  protected saveRunningTime(): void {
    this.setMeta(runningMsFact, String(this.#runningTime.save()));
  }

  #number(fact: string): number {
    return Number(this.meta(fact) ?? 0);
  }
}

function audioToJson(audio: AudioProperties | null): string | null {
  return audio === null ? null : JSON.stringify(audio);
}

function toRow(row: SqlRow, dialect: Dialect): StreamRow {
  return {
    streamId: row.id,
    state: stateNames[row.state]!,
    key: row.key,
    size: row.size,
    durableBytes: row.durable,
    sha256: row.sha256,
    format: row.format,
    metadata: metadataFromJson(row.metadata),
    audio: row.audio === null ? null : (JSON.parse(row.audio) as AudioProperties),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at,
    epoch: row.epoch,
    isDamaged: row.damaged === 1,
    isPinned: row.pinned === 1,
    account: row.account,
    isEvicted: row.evicted === 1,
    ...otherNode(dialect, row),
  };
}
