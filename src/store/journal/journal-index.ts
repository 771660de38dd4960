/**
 * The journal by stream id and by object: which streams an object belongs to, and which streams were removed. It is read
 * only when files and catalog disagree. A temporary SQLite file in the cache folder holds it, since a journal may be
 * larger than memory.
 */
import { Database } from "bun:sqlite";
import { dirname, join } from "node:path";
import { removeFile } from "../layout.ts";
import type { FinishedStream } from "../streams/catalog.ts";
import { type JournalEntry, parseLine } from "./entry.ts";
import { readJournal } from "./reader.ts";

const schema = `
  PRAGMA journal_mode = OFF;
  PRAGMA synchronous = OFF;
  CREATE TABLE entries (
    id TEXT NOT NULL PRIMARY KEY, key TEXT NOT NULL, is_removed INTEGER NOT NULL, sha256 TEXT, stream TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX entries_by_object ON entries (sha256) WHERE is_removed = 0;
  CREATE TABLE archived (sha256 TEXT NOT NULL PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER object_removed AFTER UPDATE OF is_removed ON entries
  WHEN NEW.is_removed = 1 AND NOT EXISTS (SELECT 1 FROM entries WHERE sha256 = NEW.sha256 AND is_removed = 0)
  BEGIN
    DELETE FROM archived WHERE sha256 = NEW.sha256;
  END;
`;

export class JournalIndex {
  readonly #path: string;
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** Reads the journal in `folder`. `rest` is awaited between steps of a few milliseconds. */
  static async load(folder: string, rest: () => Promise<void>): Promise<JournalIndex> {
    const index = new JournalIndex(join(dirname(folder), "journal-index.tmp"));
    try {
      for await (const lines of readJournal(folder)) {
        index.#enter(lines);
        await rest();
      }
      return index;
    } catch (error) {
      index.close();
      throw error;
    }
  }

  private constructor(path: string) {
    this.#path = path;
    removeFile(path);
    this.#database = new Database(path, { create: true, strict: true });
    this.#database.run(schema);
    this.#statements = prepareStatements(this.#database);
  }

  /** The streams that have this object and were not removed. */
  streamsOf(sha256: string): FinishedStream[] {
    return this.#statements.streamsOf
      .all(sha256)
      .map(({ stream }) => parseLine(stream))
      .filter((entry) => entry !== undefined && "finish" in entry)
      .map(({ finish }) => finish);
  }

  /** Whether this upload finished and was removed since. */
  isRemoved(streamId: string, key: string): boolean {
    return this.#statements.isRemoved.get(streamId, key) !== null;
  }

  /** Of an object in the archive that still has a stream. */
  archiveKeyOf(sha256: string): string | undefined {
    return this.#statements.archiveKeyOf.get(sha256)?.key;
  }

  /** Objects in the archive after this one, in order. */
  archivedAfter(sha256: string, limit: number): { sha256: string; key: string }[] {
    return this.#statements.archivedAfter.all(sha256, limit);
  }

  close(): void {
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.#database.close();
    removeFile(this.#path);
  }

  #enter(lines: string[]): void {
    this.#database.transaction(() => {
      for (const line of lines) {
        const entry = parseLine(line);
        if (entry !== undefined) this.#enterOne(entry, line);
      }
    })();
  }

  #enterOne(entry: JournalEntry, line: string): void {
    if ("remove" in entry) {
      this.#statements.remove.run(entry.remove.streamId, entry.remove.key);
      return;
    }
    if ("archive" in entry) {
      this.#statements.archive.run(entry.archive.sha256, entry.archive.key);
      return;
    }
    const { streamId, key, sha256, archiveKey } = entry.finish;
    this.#statements.finish.run(streamId, key, sha256, line);
    if (archiveKey !== undefined) this.#statements.archive.run(sha256, archiveKey);
  }
}

function prepareStatements(database: Database) {
  return {
    finish: database.prepare<never, [string, string, string, string]>(
      "INSERT OR REPLACE INTO entries VALUES (?, ?, 0, ?, ?)",
    ),
    // The finish line may be missing: then nothing else is known of the upload.
    remove: database.prepare<never, [string, string]>(
      `INSERT INTO entries VALUES (?1, ?2, 1, NULL, NULL)
       ON CONFLICT DO UPDATE SET is_removed = 1 WHERE key = ?2`,
    ),
    archive: database.prepare<never, [string, string]>("INSERT OR REPLACE INTO archived VALUES (?, ?)"),
    archiveKeyOf: database.prepare<{ key: string }, [string]>("SELECT key FROM archived WHERE sha256 = ?"),
    archivedAfter: database.prepare<{ sha256: string; key: string }, [string, number]>(
      "SELECT sha256, key FROM archived WHERE sha256 > ? ORDER BY sha256 LIMIT ?",
    ),
    streamsOf: database.prepare<{ stream: string }, [string]>(
      "SELECT stream FROM entries WHERE sha256 = ? AND is_removed = 0",
    ),
    isRemoved: database.prepare<{ id: string }, [string, string]>(
      "SELECT id FROM entries WHERE id = ? AND key = ? AND is_removed = 1",
    ),
  };
}
