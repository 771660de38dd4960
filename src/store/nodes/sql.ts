/** The tasks of nodes, as a table of a catalog that they share. Triggers leave those of removals. */
import type { SqlDatabase, SqlValue } from "../sql/database.ts";
import type { NodeTasks, RecordingTask, StreamTask } from "./tasks.ts";

export class SqlNodeTasks implements NodeTasks {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #node: string;

  /** Expects a database with the current schema. */
  constructor(database: SqlDatabase, node: string) {
    this.#node = node;
    this.#statements = prepareStatements(database);
  }

  ofStreams(limit: number): StreamTask[] {
    return this.#statements.ofStreams.all(limit);
  }

  ofRecordings(limit: number): RecordingTask[] {
    return this.#statements.ofRecordings.all(limit);
  }

  isRecordingRemoved(name: string): boolean {
    return this.#statements.recordingTask.get(name) !== null;
  }

  leaveTags({ streamId, key, otherNode }: Parameters<NodeTasks["leaveTags"]>[0]): void {
    this.#statements.leaveTags.run(otherNode ?? this.#node, streamId, key);
  }

  done(tasks: readonly { id: number }[]): void {
    for (const { id } of tasks) this.#statements.done.run(id);
  }
}

function prepareStatements(database: SqlDatabase) {
  const own = database.dialect.own();
  const one = <R, P extends SqlValue[]>(sql: string) => database.prepare<R, P>(sql);
  return {
    ofStreams: one<StreamTask, [number]>(
      `SELECT id, kind, subject AS "streamId", key, sha256 FROM node_tasks
       WHERE ${own} AND kind IN ('stream', 'upload', 'tags') ORDER BY id LIMIT ?`,
    ),
    ofRecordings: one<RecordingTask, [number]>(
      `SELECT id, subject AS name FROM node_tasks WHERE ${own} AND kind = 'recording' ORDER BY id LIMIT ?`,
    ),
    recordingTask: one<{ id: number }, [string]>(
      `SELECT id FROM node_tasks WHERE ${own} AND kind = 'recording' AND subject = ? LIMIT 1`,
    ),
    leaveTags: one<never, [string, string, string]>(
      "INSERT INTO node_tasks (node, kind, subject, key) VALUES (?, 'tags', ?, ?)",
    ),
    done: one<never, [number]>(`DELETE FROM node_tasks WHERE id = ? AND ${own}`),
  };
}
