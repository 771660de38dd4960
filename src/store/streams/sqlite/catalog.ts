/** The catalog in one SQLite file, in WAL mode, with one connection that locks the file exclusively. */
import { Database } from "bun:sqlite";
import { type Boot, isSameBoot } from "../../../base/system/boot.ts";
import { systemCode, toWavecacheError, WavecacheError } from "../../../base/errors.ts";
import { catalogCacheBytes } from "../../../base/limits/streams.ts";
import { KiB } from "../../../base/limits/units.ts";
import { SqliteDevices } from "../../devices/sqlite.ts";
import { SqliteDeliveries } from "../../events/deliveries.ts";
import { SqliteEvents } from "../../events/sqlite.ts";
import { SqliteJoins } from "../../recordings/joins/sqlite.ts";
import { SqliteOverviews } from "../../recordings/peaks/sqlite.ts";
import { SqliteSpans } from "../../recordings/sounds/sqlite.ts";
import { SqliteRecordings } from "../../recordings/sqlite.ts";
import { SqliteTokens } from "../../tokens/sqlite.ts";
import { SqliteRetention } from "../../retention/sqlite.ts";
import { RunningTime } from "../../running-time.ts";
import type {
  Catalog,
  FinishedStream,
  ListQuery,
  ObjectPosition,
  ObjectRow,
  SealedStream,
  StoredObject,
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
import { SqliteAccounts } from "./accounts.ts";
import { migrate } from "./schema.ts";
import { SqliteSearch } from "./search.ts";
import { prepareStatements, type SqlRow, type Statements } from "./statements.ts";

const stateNames: StreamState[] = ["unfinished", "sealed", "finished"];

/** Facts of `meta` that belong to the catalog itself. */
const runningMsFact = "running_ms";
const epochFact = "epoch";
/** The first run of this boot of the system. */
const bootEpochFact = "boot_epoch";
/** The last id that `fillSearch` has added, or `filled` once there are no more. */
const searchFact = "search_after";
const filled = "/";

export class SqliteCatalog implements Catalog {
  readonly isNew: boolean;
  readonly #database: Database;
  readonly #statements: Statements;
  readonly #search: SqliteSearch;
  readonly #runningTime: RunningTime;
  readonly #onFault: (error: unknown) => void;
  /** In the same file, so that they take part in the same transactions. */
  readonly recordings: SqliteRecordings;
  readonly overviews: SqliteOverviews;
  readonly sounds: SqliteSpans;
  readonly joins: SqliteJoins;
  readonly devices: SqliteDevices;
  readonly events: SqliteEvents;
  readonly deliveries: SqliteDeliveries;
  readonly tokens: SqliteTokens;
  readonly accounts: SqliteAccounts;
  readonly retention: SqliteRetention;
  #durable = true;
  #epoch: number;
  #bootEpoch: number;

  /**
   * Opens or creates the catalog at `path`; ":memory:" keeps it in memory. `onFault` is called if the disk fails in a
   * transaction, after which the connection must not be used any more (sqlite-rescue.ts).
   */
  constructor(
    path: string,
    monotonicMs: () => number = () => performance.now(),
    onFault: (error: unknown) => void = () => {},
  ) {
    this.#onFault = onFault;
    const { database, isNew } = openDatabase(path);
    this.isNew = isNew;
    this.#database = database;
    this.#statements = prepareStatements(database);
    this.#search = new SqliteSearch(database);
    this.recordings = new SqliteRecordings(database);
    this.overviews = new SqliteOverviews(database);
    this.sounds = new SqliteSpans(database);
    this.joins = new SqliteJoins(database, (id) => this.recordings.find(id));
    this.devices = new SqliteDevices(database);
    this.events = new SqliteEvents(database);
    this.deliveries = new SqliteDeliveries(database);
    this.tokens = new SqliteTokens(database);
    this.accounts = new SqliteAccounts(database);
    this.retention = new SqliteRetention(database);
    this.#runningTime = new RunningTime(this.#number(runningMsFact), monotonicMs);
    this.#epoch = this.#number(epochFact);
    this.#bootEpoch = this.#number(bootEpochFact);
  }

  find(streamId: string): StreamRow | undefined {
    const row = this.#statements.find.get(streamId);
    return row === null ? undefined : toRow(row);
  }

  findNamed(name: string): StreamRow | undefined {
    const rows = this.#statements.named.all(name.slice(name.lastIndexOf("/") + 1), name);
    return rows.length === 1 ? toRow(rows[0]!) : undefined;
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
    return changes === 1;
  }

  touch(streamId: string, size: number, at: number): void {
    this.#statements.touch.run(size, at, this.runningMs(), streamId);
  }

  declareSize(streamId: string, size: number | undefined): void {
    if (size === undefined) this.#statements.removeSize.run(streamId);
    else this.#statements.declareSize.run(size, streamId);
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
    this.#statements.finish.run(at, at, streamId);
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
    if (changes === 1 && stream.account !== undefined) this.accounts.set(streamId, stream.account);
    return changes === 1;
  }

  describe(streamId: string, key: string, metadata: StreamMetadata, audio: AudioProperties | null): void {
    this.#statements.describe.run(metadataToJson(metadata), audioToJson(audio), streamId, key);
  }

  remove(streamId: string): void {
    this.#statements.remove.run(streamId);
  }

  hasObject(sha256: string, exceptStreamId: string): boolean {
    return this.#statements.hasObject.get(sha256, exceptStreamId) !== null;
  }

  hasKey(key: string): boolean {
    return this.#statements.hasKey.get(key) !== null;
  }

  streamsOf(sha256: string, limit: number): StreamRow[] {
    return this.#statements.streamsOf.all(sha256, limit).map(toRow);
  }

  hasFinished(sha256: string): boolean {
    return this.#statements.hasFinished.get(sha256) !== null;
  }

  list({ state, after, limit }: ListQuery): StreamRow[] {
    const { listAll, listFinished, listUnfinished } = this.#statements;
    if (state === "finished") return listFinished.all(after, limit).map(toRow);
    if (state === "unfinished") return listUnfinished.all(after, limit).map(toRow);
    return listAll.all(after, limit).map(toRow);
  }

  search(query: StreamSearch): FoundStreams {
    const { finished, unfinished } = this.totals();
    const counted = { finished, unfinished, all: finished + unfinished };
    return this.#search.find(query, counted[query.state ?? "all"]);
  }

  undescribed(limit: number): StreamRow[] {
    return this.#statements.undescribed.all(limit).map(toRow);
  }

  fillSearch(limit: number): boolean {
    const after = this.meta(searchFact) ?? "";
    if (after === filled) return false;
    const last = this.#search.fill(after, limit);
    this.setMeta(searchFact, last ?? filled);
    return last !== undefined;
  }

  idleFor(ms: number, limit: number): StreamRow[] {
    return this.#statements.idle.all(this.runningMs() - ms, limit).map(toRow);
  }

  totals(): Totals {
    return this.#statements.totals.get()!;
  }

  sealed(): StreamRow[] {
    return this.#statements.sealed.all().map(toRow);
  }

  unsettled(afterStreamId: string, limit: number): StreamRow[] {
    return this.#statements.unsettled.all(afterStreamId, this.#epoch, limit).map(toRow);
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
    this.#statements.setBoot.run(boot.id, boot.startedAt);
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

  transaction<T>(change: () => T, durable: boolean): T {
    try {
      this.#setDurable(durable);
      return this.#database.transaction(() => {
        const result = change();
        if (this.#runningTime.isSaveDue) this.#saveRunningTime();
        return result;
      })();
    } catch (error) {
      if (isDiskFault(error)) this.#onFault(error);
      throw error;
    }
  }

  close(): void {
    this.#tryToSaveRunningTime();
    this.abandon();
  }

  /** Closes the connection as it is. Finalizes every statement first: open ones would keep the file locked. */
  abandon(): void {
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.recordings.close();
    this.overviews.close();
    this.sounds.close();
    this.joins.close();
    this.devices.close();
    this.events.close();
    this.deliveries.close();
    this.tokens.close();
    this.accounts.close();
    this.retention.close();
    this.#database.close();
  }

  /** On a full disk the time since the last save does not count. */
  #tryToSaveRunningTime(): void {
    try {
      this.#saveRunningTime();
    } catch (error) {
      if (toWavecacheError(error).code !== "DISK_FULL") throw error;
    }
  }

  #saveRunningTime(): void {
    this.setMeta(runningMsFact, String(this.#runningTime.save()));
  }

  #number(fact: string): number {
    return Number(this.meta(fact) ?? 0);
  }

  #setDurable(durable: boolean): void {
    if (this.#durable === durable) return;
    this.#database.run(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
    this.#durable = durable;
  }
}

/** A full disk is none: SQLite rolls that back, and continues. */
function isDiskFault(error: unknown): boolean {
  return /^SQLITE_(?:IOERR|CORRUPT|NOTADB)/.test(systemCode(error) ?? "");
}

function openDatabase(path: string): { database: Database; isNew: boolean } {
  const database = new Database(path, { create: true, strict: true });
  try {
    // One connection locks the file until the process ends: a second server on the same folder fails to start.
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL");
    database.run(`PRAGMA cache_size = -${catalogCacheBytes / KiB}`);
    // Has an effect on macOS only, where a plain fsync does not reach the disk.
    database.run("PRAGMA fullfsync = ON");
    return { database, isNew: migrate(database, path) };
  } catch (error) {
    database.close();
    throw openError(error, path);
  }
}

function openError(error: unknown, path: string): unknown {
  switch (systemCode(error)) {
    case "SQLITE_BUSY":
      return new WavecacheError("STORE_IN_USE", path);
    case "SQLITE_NOTADB":
    case "SQLITE_CORRUPT":
      return new WavecacheError("CATALOG_LOST", path);
    default:
      return error;
  }
}

function audioToJson(audio: AudioProperties | null): string | null {
  return audio === null ? null : JSON.stringify(audio);
}

function toRow(row: SqlRow): StreamRow {
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
  };
}
