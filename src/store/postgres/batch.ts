/**
 * Statements that go to the database together: one round trip, whatever their number. They end with one Sync, so the
 * server skips what follows a statement that fails (PostgreSQL documentation, "Message Flow", "Pipelining"). node-postgres
 * takes such a batch as a `Submittable`, the way its cursors are made.
 */
import type { Connection, Submittable } from "pg";
import type { SqlValue } from "../sql/database.ts";
import type { Statement, StatementResult } from "./messages.ts";

interface Field {
  name: string;
  dataTypeID: number;
}

/** Gives a name to a text on its first use. */
export type NameOf = (text: string) => string;

abstract class Messages implements Submittable {
  readonly #outcome = Promise.withResolvers<void>();

  /** Rejects with the error of the first statement that fails, or of the connection. */
  get outcome(): Promise<void> {
    return this.#outcome.promise;
  }

  submit(connection: Connection): void {
    const { stream } = connection;
    // One packet, and one system call.
    stream.cork();
    this.send(connection);
    connection.sync();
    stream.uncork();
  }

  protected abstract send(wire: Connection): void;

  handleError(error: Error): void {
    this.#outcome.reject(error);
  }

  handleReadyForQuery(): void {
    this.#outcome.resolve();
  }

  handleRowDescription(_message: { fields: Field[] }): void {}

  handleDataRow(_message: { fields: (string | null)[] }): void {}

  handleCommandComplete(_message: { text: string }): void {}

  handleEmptyQuery(): void {}

  handlePortalSuspended(): void {}
}

/** Prepares statements, so that a batch with an error leaves no doubt which of them the server knows. */
export class Preparation extends Messages {
  readonly #texts: readonly string[];
  readonly #nameOf: NameOf;

  constructor(texts: readonly string[], nameOf: NameOf) {
    super();
    this.#texts = texts;
    this.#nameOf = nameOf;
  }

  protected send(wire: Connection): void {
    for (const text of this.#texts) wire.parse({ name: this.#nameOf(text), text, types: [] }, true);
  }
}

/** Runs prepared statements. */
export class Batch extends Messages {
  readonly results: StatementResult[] = [];
  readonly #statements: readonly Statement[];
  readonly #nameOf: NameOf;
  #fields: Field[] = [];
  #rows: unknown[] = [];

  constructor(statements: readonly Statement[], nameOf: NameOf) {
    super();
    this.#statements = statements;
    this.#nameOf = nameOf;
  }

  protected send(wire: Connection): void {
    for (const { text, values, wantsRows } of this.#statements) {
      const statement = this.#nameOf(text);
      wire.bind({ statement, values: values.map(encode) }, true);
      if (wantsRows) wire.describe({ type: "P" }, true);
      wire.execute({}, true);
    }
  }

  override handleRowDescription({ fields }: { fields: Field[] }): void {
    this.#fields = fields;
  }

  override handleDataRow({ fields }: { fields: (string | null)[] }): void {
    if (!this.#statements[this.results.length]!.wantsRows) return;
    const row: Record<string, unknown> = {};
    this.#fields.forEach(({ name, dataTypeID }, index) => {
      const text = fields[index]!;
      row[name] = text === null ? null : decode(dataTypeID, text);
    });
    this.#rows.push(row);
  }

  /** The text is a command tag, such as `UPDATE 3` or `INSERT 0 1`. */
  override handleCommandComplete({ text }: { text: string }): void {
    this.results.push({ rows: this.#rows, changes: Number(/\d+$/.exec(text)?.[0] ?? 0) });
    this.#rows = [];
  }
}

/** A text of PostgreSQL has no NUL. It becomes U+FFFD, as in the names of streams. */
function encode(value: SqlValue): string | Buffer | null {
  if (typeof value === "string") return value.replaceAll("\0", "\ufffd");
  if (value === null) return value;
  return typeof value === "number" ? String(value) : Buffer.from(value);
}

/** `int2`, `int4`, `int8`, `float4`, `float8` and `numeric` (pg_type.dat). All integers of a catalog are below 2^53. */
const numberTypes = new Set([20, 21, 23, 700, 701, 1700]);
const bytesType = 17;

function decode(type: number, text: string): string | number | Uint8Array {
  if (numberTypes.has(type)) return Number(text);
  // "\x" and two hexadecimal digits a byte.
  return type === bytesType ? new Uint8Array(Buffer.from(text.slice(2), "hex")) : text;
}
