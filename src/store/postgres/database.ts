/**
 * PostgreSQL as catalogs see it. A statement costs a round trip, so statements whose answer nobody reads are sent with the
 * next that needs one, at the latest with COMMIT. A transaction begins with its first write: reads before it see what is
 * committed, as each statement of a transaction does.
 *
 *     first write    BEGIN; is it durable?; is this node fenced?; the statement     one round trip
 *     last writes    the statements; COMMIT                                         one round trip
 *
 * After a lost connection nobody knows whether the last COMMIT has happened. Then `onFault` is called, nothing more is
 * sent, and the catalog has to be opened anew.
 */
import { WavecacheError } from "../../base/errors.ts";
import { catalogAnswerMs, catalogConnectMs, catalogMigrationMs } from "../../base/limits/postgres.ts";
import type { Changes, SqlDatabase, SqlStatement, SqlValue } from "../sql/database.ts";
import { Bridge } from "./bridge.ts";
import { postgresDialect, withNumberedParameters } from "./dialect.ts";
import type { ConnectionSettings, Failure, Statement, StatementResult } from "./messages.ts";

/** A statement that waits to be sent, and then its result. */
interface Waiting {
  statement: Statement;
  result: StatementResult | undefined;
}

interface Transaction {
  durable: boolean;
  /** Their transactions wait until this one has ended, and it for theirs. */
  otherNodes: readonly string[];
  last: { text: string; values: SqlValue[] }[];
  hasBegun: boolean;
  /** Of a statement; the transaction can only be rolled back. */
  failure: unknown;
}

/** Statements that wait in a transaction; one more sends them all. */
const maxWaiting = 500;
/** The first is what `check_fence` takes. */
const lockOwn = "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))";
const lockOther = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
const selects = /^\s*SELECT\b/i;
/** The function of the schema that checks the fencing token raises this. */
const fencedState = "WF001";
/** Deadlocks and locks that took too long: the same call may succeed. */
const busyStates = new Set(["40001", "40P01", "55P03", "57014", "53100", "53200", "53300"]);

export class PostgresDatabase implements SqlDatabase {
  readonly dialect;
  readonly #bridge = new Bridge();
  readonly #node: string;
  readonly #onFault: (error: WavecacheError) => void;
  #fencingToken = 0;
  #waiting: Waiting[] = [];
  #transaction: Transaction | undefined;
  #fault: WavecacheError | undefined;

  /** Throws CATALOG_UNAVAILABLE. */
  constructor(settings: ConnectionSettings, onFault: (error: WavecacheError) => void) {
    this.dialect = postgresDialect(settings.node);
    this.#node = settings.node;
    this.#onFault = onFault;
    try {
      this.#call({ connect: settings }, catalogConnectMs);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Writes need the token from now on. */
  set fencingToken(token: number) {
    this.#fencingToken = token;
  }

  prepare<R, P extends SqlValue[]>(sql: string): SqlStatement<R, P> {
    const text = withNumberedParameters(sql);
    const all = (values: P) => this.#query(text, values) as R[];
    return {
      all: (...values) => all(values),
      get: (...values) => all(values)[0] ?? null,
      run: (...values) => this.#change(text, values),
    };
  }

  prepareLast<P extends SqlValue[]>(sql: string): { run(...values: P): void } {
    const text = withNumberedParameters(sql);
    return { run: (...values) => this.#changeLast(text, values) };
  }

  /** Runs statements without parameters, such as those of a migration. */
  script(sql: string): void {
    this.#call({ script: sql }, catalogMigrationMs);
  }

  /** `otherNodes`: those whose rows it removes. Rows of a node are then in no two transactions that wait for each other. */
  transaction<T>(change: () => T, durable: boolean, otherNodes: readonly string[] = []): T {
    if (this.#transaction !== undefined) return change();
    const transaction: Transaction = { durable, otherNodes, last: [], hasBegun: false, failure: undefined };
    this.#transaction = transaction;
    try {
      const result = change();
      this.#commit(transaction);
      return result;
    } catch (error) {
      this.#rollBack(transaction);
      throw error;
    } finally {
      this.#transaction = undefined;
      this.#waiting = [];
    }
  }

  close(): void {
    this.#bridge.close();
  }

  #commit(transaction: Transaction): void {
    if (transaction.failure !== undefined) throw transaction.failure;
    if (!transaction.hasBegun) return;
    for (const { text, values } of transaction.last) this.#enqueue(text, values);
    this.#enqueue("COMMIT", []);
    this.#send();
  }

  #rollBack({ hasBegun }: Transaction): void {
    const isSent = hasBegun && !this.#waiting.some(({ statement }) => statement.text === "BEGIN");
    this.#waiting = [];
    if (!isSent || this.#fault !== undefined) return;
    this.#call({ statements: [{ text: "ROLLBACK", values: [], wantsRows: false }] }, catalogAnswerMs);
  }

  #query(text: string, values: SqlValue[]): unknown[] {
    const isWrite = !selects.test(text);
    if (isWrite && this.#transaction === undefined) return this.#alone(text, values).rows;
    if (isWrite) this.#begin();
    const waiting = this.#enqueue(text, values, true);
    this.#send();
    return waiting.result!.rows;
  }

  #change(text: string, values: SqlValue[]): Changes {
    if (this.#transaction === undefined) return this.#alone(text, values);
    this.#begin();
    const waiting = this.#enqueue(text, values);
    if (this.#waiting.length > maxWaiting) this.#send();
    const result = () => {
      if (waiting.result === undefined) this.#send();
      return waiting.result!;
    };
    return {
      get changes() {
        return result().changes;
      },
    };
  }

  #changeLast(text: string, values: SqlValue[]): void {
    if (this.#transaction === undefined) return void this.#alone(text, values);
    this.#begin();
    this.#transaction.last.push({ text, values });
  }

  /** A write outside of a transaction is one of its own. */
  #alone(text: string, values: SqlValue[]): StatementResult {
    const waiting = this.transaction(() => {
      this.#begin();
      return this.#enqueue(text, values, true);
    }, true);
    return waiting.result!;
  }

  #begin(): void {
    const transaction = this.#transaction!;
    if (transaction.hasBegun) return;
    transaction.hasBegun = true;
    this.#enqueue("BEGIN", []);
    this.#enqueue(`SET LOCAL synchronous_commit = ${transaction.durable ? "on" : "off"}`, []);
    // In one order, so that no two nodes wait for each other.
    if (transaction.otherNodes.length > 0)
      for (const node of [...transaction.otherNodes, this.#node].sort())
        this.#enqueue(node === this.#node ? lockOwn : lockOther, [node]);
    this.#enqueue("SELECT check_fence($1, $2)", [this.#node, this.#fencingToken]);
  }

  #enqueue(text: string, values: SqlValue[], wantsRows = false): Waiting {
    const waiting = { statement: { text, values, wantsRows }, result: undefined };
    this.#waiting.push(waiting);
    return waiting;
  }

  /** After a failure PostgreSQL answers all that follows with another error, which says nothing. */
  #send(): void {
    if (this.#transaction?.failure !== undefined) throw this.#transaction.failure;
    const sent = this.#waiting;
    this.#waiting = [];
    try {
      const results = this.#call({ statements: sent.map(({ statement }) => statement) }, catalogAnswerMs);
      results.forEach((result, index) => {
        sent[index]!.result = result;
      });
    } catch (error) {
      if (this.#transaction !== undefined) this.#transaction.failure = error;
      throw error;
    }
  }

  #call(body: Parameters<Bridge["call"]>[0], limitMs: number): StatementResult[] {
    if (this.#fault !== undefined) throw this.#fault;
    try {
      const response = this.#bridge.call(body, limitMs);
      if ("results" in response) return response.results;
      throw this.#errorOf(response.failure);
    } catch (error) {
      if (error instanceof WavecacheError && error.code === "CATALOG_UNAVAILABLE") this.#fail(error);
      throw error;
    }
  }

  #errorOf({ code, message, isLost }: Failure): WavecacheError {
    if (code === fencedState) return this.#fail(new WavecacheError("FENCED"));
    if (isLost) return new WavecacheError("CATALOG_UNAVAILABLE", message || code);
    if (busyStates.has(code)) return new WavecacheError("CATALOG_BUSY", message);
    return new WavecacheError("STORE_FAILED", `${code} ${message}`);
  }

  #fail(error: WavecacheError): WavecacheError {
    if (this.#fault === undefined) {
      this.#fault = error;
      this.#onFault(error);
    }
    return error;
  }
}
