/** Parts of the statements of the search. */
import type { SqlValue } from "../sql/database.ts";

/** A part of a statement, with the values of its parameters. */
export interface Sql {
  text: string;
  values: SqlValue[];
}

export function where(statement: string, conditions: readonly Sql[]): Sql {
  if (conditions.length === 0) return { text: statement, values: [] };
  return {
    text: `${statement} WHERE ${conditions.map(({ text }) => text).join(" AND ")}`,
    values: conditions.flatMap(({ values }) => values),
  };
}
