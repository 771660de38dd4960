/**
 * Plans of the statements of the catalog: tables that grow with what is stored are read by an index, so that no call costs
 * more for what else is stored. The planner decides by the statistics of tables that are full enough. Sequential scans are
 * off, so one that is left has no index that it could use.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "pg";
import { postgresPrograms, postgresServer } from "../../testing/harness/servers/postgres.ts";
import { PostgresCatalog } from "./catalog.ts";
import { PostgresDatabase } from "./database.ts";
import { withNumberedParameters } from "./dialect.ts";

/** A few rows for each node, device, consumer, account or token, or as many as there are sessions: they may be read as a whole. */
const smallTables = new Set(
  (
    "boots browser_sessions catalog_version devices event_consumers event_sequence meta nodes pinned_ranges session_version shared_keys token_version tokens " +
    "stored_bytes totals archive_totals archive_recording_totals recording_totals usage_samples"
  ).split(" "),
);

/** These have only the rows that the statement wants. */
const narrowIndexes = new Set(["streams_sealed_ids", "streams_unfinished_ids", "sound_spans_open"]);

/** Statements that need every row: a count at the first use in a catalog of one node, and the change of the archive. */
const wholeReads = [
  /^SELECT count\(\*\) AS count FROM events$/,
  /^DELETE FROM archive_\w+ WHERE node = 'a'$/,
];

const rows = 5_000;
/** What a column has in row g, where the type does not suffice. */
const special: Record<string, string> = {
  node: "CASE WHEN g % 2 = 0 THEN 'a' ELSE 'b' END",
  "streams.state": "CASE WHEN g % 100 = 0 THEN 0 ELSE 2 END",
  is_archived: "(g % 100 > 0)::integer",
  is_local: "(g % 2)::integer",
  upload_id: "CASE WHEN g % 1000 = 0 THEN 'u' || g END",
  "sound_spans.ended_at": "CASE WHEN g % 1000 > 0 THEN g END",
  metadata: "NULL",
  audio: "NULL",
};

/** By PostgreSQL's own names of types. */
const typed: Record<string, string> = {
  text: "md5(g::text)",
  int8: "g",
  int4: "0",
  float8: "g",
  bytea: "decode(md5(g::text), 'hex')",
  tsvector: "to_tsvector('simple', 'word' || g)",
  _text: "ARRAY['tag' || g]",
  _int8: "ARRAY[g]",
};

interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  Plans?: PlanNode[];
}

/** Statements as the catalog prepares them when it opens. */
function preparedStatements(url: string): string[] {
  const texts = new Set<string>();
  const { prepare } = PostgresDatabase.prototype;
  PostgresDatabase.prototype.prepare = function (this: PostgresDatabase, sql: string) {
    texts.add(withNumberedParameters(sql));
    return prepare.call(this, sql);
  } as typeof prepare;
  try {
    new PostgresCatalog({ url, node: "a" }).close();
  } finally {
    PostgresDatabase.prototype.prepare = prepare;
  }
  return [...texts];
}

/** Fills every table that grows. Without triggers, which would keep totals of it. */
async function fill(client: Client): Promise<void> {
  const { rows: columns } = await client.query<{ table: string; name: string; type: string }>(
    `SELECT table_name AS table, column_name AS name, udt_name AS type FROM information_schema.columns
     WHERE table_schema = current_schema() AND is_generated = 'NEVER' AND is_identity = 'NO'`,
  );
  await client.query("SET session_replication_role = replica");
  for (const [table, all] of Map.groupBy(columns, (column) => column.table)) {
    if (smallTables.has(table)) continue;
    const values = all.map(({ name, type }) => special[`${table}.${name}`] ?? special[name] ?? typed[type]!);
    await client.query(
      `INSERT INTO ${table} (${all.map(({ name }) => name).join(", ")})
       SELECT ${values.join(", ")} FROM generate_series(1, ${rows}) AS g`,
    );
  }
  await client.query("ANALYZE");
}

async function planOf(client: Client, text: string): Promise<PlanNode> {
  const count = Math.max(0, ...Array.from(text.matchAll(/\$(\d+)/g), ([, number]) => Number(number)));
  const values = count === 0 ? "" : `(${Array.from({ length: count }, () => "NULL").join(", ")})`;
  await client.query(`PREPARE planned AS ${text}`);
  const { rows: explained } = await client.query<{ "QUERY PLAN": [{ Plan: PlanNode }] }>(
    `EXPLAIN (FORMAT JSON) EXECUTE planned${values}`,
  );
  await client.query("DEALLOCATE planned");
  return explained[0]!["QUERY PLAN"][0].Plan;
}

/** How a plan reads a whole table, or the whole of an index. Below a limit, the order of an index is what is wanted. */
function wholeScans(plan: PlanNode, isLimited = false): string[] {
  const { "Node Type": type, "Relation Name": table, "Index Name": index, "Index Cond": condition } = plan;
  const isWhole = type === "Seq Scan" || (type.startsWith("Index") && condition === undefined && !isLimited);
  const isBig = table !== undefined && !smallTables.has(table) && !narrowIndexes.has(index ?? "");
  const own = isWhole && isBig ? [`${type} ${index ?? ""} of ${table}`] : [];
  // What is sorted or grouped under a limit is read as a whole all the same.
  const isBelow = type === "Limit" || (isLimited && !/^(Sort|Aggregate|Hash)/.test(type));
  return [...own, ...(plan.Plans ?? []).flatMap((each) => wholeScans(each, isBelow))];
}

describe.skipIf(postgresPrograms === undefined)("the statements of a catalog in PostgreSQL", () => {
  let client: Client;
  let statements: string[];
  beforeAll(async () => {
    const url = postgresServer().createSchema();
    statements = preparedStatements(url);
    client = new Client({ connectionString: url });
    await client.connect();
    await fill(client);
    await client.query("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off");
  }, 60_000);
  afterAll(async () => await client?.end());

  test("read tables that grow by their indexes", async () => {
    expect(statements.length).toBeGreaterThan(150);
    const found: string[] = [];
    for (const text of statements.filter((each) => !wholeReads.some((whole) => whole.test(each)))) {
      const scans = wholeScans(await planOf(client, text));
      if (scans.length > 0) found.push(`${scans.join(", ")}: ${text.replaceAll(/\s+/g, " ")}`);
    }
    expect(found).toEqual([]);
  }, 60_000);

  test("that have no index are found by this test", async () => {
    const scan = await planOf(client, "SELECT id FROM streams WHERE metadata = $1");
    expect(wholeScans(scan)).toEqual(["Seq Scan  of streams"]);
    expect(wholeScans(await planOf(client, "SELECT id FROM streams ORDER BY id LIMIT $1"))).toEqual([]);
    const sorted = await planOf(client, "SELECT id FROM streams ORDER BY format LIMIT $1");
    expect(wholeScans(sorted)).toEqual(["Seq Scan  of streams"]);
  });
});
