/** What the keeper and its connection thread send each other. */
import type { SqlValue } from "../sql/database.ts";

export interface Statement {
  text: string;
  values: SqlValue[];
  /** Otherwise the rows are left out of the answer. */
  wantsRows: boolean;
}

export interface ConnectionSettings {
  /** `postgres://user@host:port/database` */
  url: string;
  password?: string | undefined;
  /** Id of this node. */
  node: string;
}

export type Request = { serial: number } & (
  | { connect: ConnectionSettings }
  /** Sent together. After one that fails, the others are not run. */
  | { statements: Statement[] }
  /** Statements without parameters, separated by semicolons. */
  | { script: string }
);

/** What the worker gets first. */
export interface BridgeEnd {
  port: MessagePort;
  /** The count of the answers so far, which the keeper waits on. */
  answers: Int32Array<SharedArrayBuffer>;
}

export interface StatementResult {
  rows: unknown[];
  /** Rows that were inserted, updated, removed or selected. */
  changes: number;
}

export interface Failure {
  /** SQLSTATE of an error that the database reports; the system's code, or empty, for one of the connection. */
  code: string;
  message: string;
  /** The connection cannot be used any more. */
  isLost: boolean;
}

export type Response = { serial: number } & ({ results: StatementResult[] } | { failure: Failure });
