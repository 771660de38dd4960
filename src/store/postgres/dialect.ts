/** How PostgreSQL spells what `Dialect` leaves open. */
import type { Dialect } from "../sql/database.ts";

/** The id of this node is a part of statements, as PostgreSQL plans for it then. */
export function postgresDialect(node: string): Dialect {
  if (!/^[\w-]+$/.test(node)) throw new Error(`${JSON.stringify(node)} is no id of a node`);
  return {
    engine: "postgres",
    node,
    greatest: "greatest",
    least: "least",
    own: (table) => `${table === undefined ? "" : `${table}.`}node = '${node}'`,
    nodeKey: ["node"],
    sameNode: (table, other) => `${table}.node = ${other}.node`,
    leaseMs: (id) =>
      `(SELECT CAST(extract(epoch FROM n.lease_until - clock_timestamp()) * 1000 AS bigint) FROM nodes n WHERE n.id = ${id})`,
    indexedBy: () => "",
    textsOf: (parameter) =>
      `SELECT value FROM json_array_elements_text(CAST(${parameter} AS json)) AS texts (value)`,
  };
}

/** `?` and `?1` become `$1`. No statement of a catalog has a `?` elsewhere. */
export function withNumberedParameters(sql: string): string {
  let count = 0;
  return sql.replaceAll(/\?(\d*)/g, (_, number: string) => `$${number === "" ? (count += 1) : number}`);
}
