/**
 * `bun run bench:catalog`: a catalog in PostgreSQL with many streams. Prints how long its calls take, as the keeper sees
 * them, and how many round trips they make. The server is a temporary one, without syncs.
 */
import { cac } from "cac";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { table } from "../../src/cli/kit/text.ts";
import { PostgresCatalog } from "../../src/store/postgres/catalog.ts";
import { PostgresDatabase } from "../../src/store/postgres/database.ts";
import { noMetadata } from "../../src/store/streams/metadata.ts";
import type { StreamSearch } from "../../src/store/streams/search.ts";
import { PostgresServer } from "../../src/testing/harness/servers/postgres.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";
import { Latency, type Percentiles } from "./latency.ts";

interface Settings {
  streams: number;
  calls: number;
  json: string | undefined;
}

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:catalog");
  cli
    .command("[...rest]", "Look up, list and change streams of a large catalog in PostgreSQL")
    .usage("[options]\n\nThe streams have names and tags, and no audio.")
    .option("--streams <count>", "Finished streams", { default: "1000000" })
    .option("--calls <count>", "Calls of each kind", { default: "1000" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    streams: countOption(options, "streams", 1, 100_000_000),
    calls: countOption(options, "calls", 1, 1_000_000),
    json: textOption(options, "json"),
  }));
}

const node = "bench";

/** Indexes are made anew after the rows, and no trigger runs: the totals are counted once. */
const fill = (streams: number) => `
  SET maintenance_work_mem = '1GB';
  CREATE TEMP TABLE made AS SELECT indexdef FROM pg_indexes i
  WHERE schemaname = current_schema() AND tablename IN ('streams', 'search_texts')
    AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname);
  DO $$ DECLARE each record; BEGIN
    FOR each IN SELECT indexname FROM pg_indexes i WHERE schemaname = current_schema()
      AND tablename IN ('streams', 'search_texts')
      AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)
    LOOP EXECUTE 'DROP INDEX ' || each.indexname; END LOOP;
  END $$;
  ALTER TABLE streams DISABLE TRIGGER USER;
  ALTER TABLE search_texts DROP CONSTRAINT search_texts_doc_fkey;
  INSERT INTO streams (id, state, key, size, durable, sha256, format, metadata, audio, created_at, updated_at, finished_at)
  SELECT 'stream-' || n, 2, 'key-' || n, 1000 + n % 5000, 1000 + n % 5000, md5(n::text) || md5(n::text), 'audio/mpeg',
    '{"tags":{"name":"folder/track ' || n || '.mp3","artist":"artist ' || n % 1000 || '"}}', '{"duration":' || n % 600 || '}',
    1700000000000 + n, 1700000000000 + n, 1700000000000 + n
  FROM generate_series(1, ${streams}) AS n;
  INSERT INTO search_texts (doc, words, tags)
  SELECT doc, to_tsvector('simple', replace(id, '-', ' ') || ' common track artist ' || doc % 1000), ARRAY[md5((doc % 1000)::text)] FROM streams;
  DO $$ DECLARE each record; BEGIN
    FOR each IN SELECT indexdef FROM made LOOP EXECUTE each.indexdef; END LOOP;
  END $$;
  ALTER TABLE streams ENABLE TRIGGER USER;
  UPDATE totals SET finished = ${streams}, objects = ${streams} WHERE node = '${node}';
  ANALYZE streams;
  ANALYZE search_texts`;

const everything: StreamSearch = {
  state: undefined,
  text: undefined,
  type: undefined,
  tags: {},
  from: undefined,
  to: undefined,
  by: "id",
  isDescending: false,
  after: undefined,
  limit: 100,
};

/** What is timed, by name: `n` is a random number of a stream. */
function callsOf(catalog: PostgresCatalog): Record<string, (n: number) => unknown> {
  const search = (query: Partial<StreamSearch>) => catalog.search({ ...everything, ...query });
  const upload = (n: number) => {
    const id = `new-${n}`;
    const sha256 = n.toString(16).padStart(64, "0");
    catalog.transaction(() => catalog.reserve(id, id, n), false);
    catalog.transaction(() => catalog.seal({ streamId: id, size: 9, sha256, format: null }, n), false);
    catalog.transaction(() => catalog.finish(id, n), true);
    catalog.transaction(() => catalog.remove(id), true);
  };
  return {
    "find a stream by its id": (n) => catalog.find(`stream-${n}`),
    "find a stream by its name": (n) => catalog.findNamed(`track ${n}.mp3`),
    "streams of an object": (n) => catalog.streamsOf(`${md5(n)}${md5(n)}`, 10),
    "list 100 streams": (n) => catalog.list({ state: "finished", after: `stream-${n}`, limit: 100 }),
    "100 newest": () => search({ by: "created", isDescending: true }),
    "100 longest": () => search({ by: "duration", isDescending: true }),
    "a word that one stream has": (n) => search({ text: `stream-${n}` }),
    "a word that 1 in 1,000 has": (n) => search({ text: `artist ${n % 1000}` }),
    "a word that every stream has": () => search({ text: "common", by: "created", isDescending: true }),
    "candidates of retention": (n) => {
      const after = { at: 1_700_000_000_000 + n, id: `stream-${n}` };
      return catalog.retention.candidates({ kind: "streams", order: "use", after, limit: 100 });
    },
    "reserve, seal, finish and remove": upload,
    "change the tags": (n) => {
      const metadata = { ...noMetadata, tags: { name: `folder/track ${n}.mp3` } };
      catalog.transaction(() => catalog.describe(`stream-${n}`, `key-${n}`, metadata, null), true);
    },
  };
}

function md5(n: number): string {
  return new Bun.CryptoHasher("md5").update(String(n)).digest("hex");
}

interface Row {
  call: string;
  ms: Percentiles;
}

function measure(catalog: PostgresCatalog, { streams, calls }: Settings): Row[] {
  return Object.entries(callsOf(catalog)).map(([call, run]) => {
    const latency = new Latency();
    // Each statement is prepared at its first use.
    for (let index = 0; index < 20; index += 1) run(1 + Math.floor(Math.random() * streams));
    for (let index = 0; index < calls; index += 1) {
      const n = 1 + Math.floor(Math.random() * streams);
      const startedAt = performance.now();
      run(n);
      latency.record(performance.now() - startedAt);
    }
    return { call, ms: latency.percentiles() };
  });
}

async function run(settings: Settings): Promise<number> {
  using server = PostgresServer.start();
  const url = server.createSchema();
  const catalog = new PostgresCatalog({ url, node });
  const database = new PostgresDatabase({ url, node }, () => {});
  const startedAt = performance.now();
  database.script(fill(settings.streams));
  const fillSeconds = (performance.now() - startedAt) / 1000;
  const rows = measure(catalog, settings);
  database.close();
  catalog.close();
  const texts = rows.map(({ call, ms }) => [
    call,
    ...[ms.p50, ms.p99, ms.max].map((each) => each.toFixed(2)),
  ]);
  const lines = table([["CALLS, ms", "p50", "p99", "max"], ...texts], [1, 2, 3]);
  process.stdout.write(
    `${lines.join("\n")}\n\n${fillSeconds.toFixed(0)} s to enter ${settings.streams} streams\n`,
  );
  await writeReport(settings, { fillSeconds, rows });
  return 0;
}

await runBench(readSettings, run);
