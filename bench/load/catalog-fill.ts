/**
 * Fills a catalog in PostgreSQL with the streams of `many-streams.ts`, as fast as PostgreSQL can: indexes are made anew
 * after the rows, and no trigger runs, so the totals are set. 10,000,000 streams take about ten minutes.
 */
import type { PostgresDatabase } from "../../src/store/postgres/database.ts";

const pick = (count: number, salt: number) => `(i * 2654435761 + ${salt}) % ${count}`;
const digest = "encode(sha256(CAST(CAST(i AS text) AS bytea)), 'hex')";
const id = "'stream-' || lpad(CAST(i AS text), 8, '0')";
const tags: Record<string, string> = {
  title: `'Song ' || left(${digest}, 6) || ' number ' || i`,
  artist: `'Artist ' || ${pick(1_000, 7)}`,
  album: `'Album ' || ${pick(10_000, 13)}`,
  name: `'music/common/take-' || i || '.mp3'`,
};

/** As `tagKey` of the search computes it. */
function keyOf(name: string): string {
  const json = `'["${name}","' || lower(${tags[name]}) || '"]'`;
  return `CAST(CAST('x' || left(md5(${json}), 16) AS bit(64)) AS bigint)`;
}

const words = `to_tsvector('simple', regexp_replace(lower(concat_ws(' ', ${[id, ...Object.values(tags)].join(", ")})), '[^a-z0-9]+', ' ', 'g'))`;
const metadata = `json_build_object('tags', json_build_object(${Object.entries(tags)
  .map(([name, value]) => `'${name}', ${value}`)
  .join(", ")}))`;
const audio = `'{"container":"MPEG","codec":"MPEG 1 Layer 3","duration":' || ${pick(600, 5)} || ',"sampleRate":44100,"channels":2,"bitRate":128000}'`;

const steps = (streams: number, node: string): Record<string, string> => ({
  "drop the indexes": `
    CREATE TABLE made_later AS
    SELECT indexname, indexdef FROM pg_indexes i WHERE schemaname = current_schema()
      AND tablename IN ('streams', 'search_texts')
      AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname);
    DO $$ DECLARE each record; BEGIN
      FOR each IN SELECT indexname FROM made_later LOOP EXECUTE 'DROP INDEX ' || each.indexname; END LOOP;
    END $$;
    ALTER TABLE streams DISABLE TRIGGER USER;
    ALTER TABLE search_texts DROP CONSTRAINT search_texts_doc_fkey`,
  "enter the streams": `
    INSERT INTO streams
      (id, state, key, size, durable, sha256, format, metadata, audio, created_at, updated_at, finished_at)
    SELECT ${id}, 2, 'earlier-' || i, size, size, ${digest}, 'audio/mpeg', ${metadata}, ${audio}, at, at, at
    FROM (SELECT i, ${pick(1_000_000, 3)} AS size, 1700000000000 + i * 1000 AS at
      FROM generate_series(CAST(0 AS bigint), ${streams - 1}) AS i) AS made`,
  "enter their texts": `
    INSERT INTO search_texts (doc, id, created_at, words, tags)
    SELECT doc, id, created_at, ${words}, ARRAY[${Object.keys(tags).map(keyOf).join(", ")}]
    FROM (SELECT doc, id, created_at, doc - 1 AS i FROM streams) AS entered`,
  "make the indexes": `
    DO $$ DECLARE each record; BEGIN
      FOR each IN SELECT indexdef FROM made_later LOOP EXECUTE each.indexdef; END LOOP;
    END $$;
    DROP TABLE made_later`,
  "count and analyze": `
    ALTER TABLE search_texts ADD FOREIGN KEY (doc) REFERENCES streams (doc) ON DELETE CASCADE NOT VALID;
    ALTER TABLE streams ENABLE TRIGGER USER;
    UPDATE totals SET finished = ${streams}, objects = ${streams},
      object_bytes = (SELECT sum(size) FROM streams) WHERE node = '${node}'`,
});

/** `onStep` hears what is done next. */
export function fillPostgres(
  database: PostgresDatabase,
  streams: number,
  node: string,
  onStep: (step: string) => void,
): void {
  database.script("SET maintenance_work_mem = '2GB'; SET synchronous_commit = off");
  for (const [step, sql] of Object.entries(steps(streams, node))) {
    onStep(step);
    database.script(sql);
  }
  database.script("VACUUM (ANALYZE) streams");
  database.script("VACUUM (ANALYZE) search_texts");
}
