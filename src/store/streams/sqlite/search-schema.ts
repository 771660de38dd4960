/**
 * The index of the search, beside the streams. Triggers keep it in the transaction that changes a stream:
 *
 *     search_streams  a row for each stream: what lists are sorted by. `doc` is its number in the other two tables
 *     search_words    full text over the id and the values of the tags, the name and the title among them
 *     search_facets   what must be equal: the content type, and each tag
 *
 * Streams of an older version are not in it at first: the background check adds them step by step (`fillSearch`).
 */
import { baseName } from "./stream-names.ts";

/** The title that a stream is sorted by: that of its tags, or else its file name, or else its id. */
const title = `coalesce(nullif(json_extract(metadata, '$.tags.title'), ''), nullif(${baseName}, ''), id)`;
/** Unknown durations go before all others. */
const duration = "coalesce(json_extract(audio, '$.duration'), -1)";
/** Only a finished stream with a known format has properties to read. */
const hasProperties = "iif(audio IS NOT NULL OR format IS NULL OR size = 0, 1, 0)";
/** Without its parameters. */
const bareType = "rtrim(substr(type, 1, instr(type || ';', ';') - 1))";

const searchColumns = `
  INSERT OR IGNORE INTO search_streams (id, state, created_at, size, title, duration, is_described)
  SELECT id, state, created_at, size, ${title}, ${duration}, ${hasProperties} FROM streams`;

/** Adds older streams, in the order of their ids. */
export const fillStatement = `${searchColumns} WHERE id > ? ORDER BY id LIMIT ?`;

/** The type that is shown: what the uploader declared, or else what the first bytes show. */
const insertType = `
  INSERT INTO search_facets (name, value, doc)
  SELECT 'type', ${bareType}, doc FROM (
    SELECT doc, coalesce(json_extract(metadata, '$.contentType'), format) AS type
    FROM search_streams JOIN streams USING (id) WHERE id = NEW.id
  ) WHERE type IS NOT NULL;`;

const insertTexts = `
  INSERT INTO search_words (rowid, text)
  SELECT NEW.doc, id || ' ' || coalesce((SELECT group_concat(value, ' ') FROM json_each(metadata, '$.tags')), '')
  FROM streams WHERE id = NEW.id;
  INSERT INTO search_facets (name, value, doc)
  SELECT 'tag.' || tag.key, tag.value, NEW.doc FROM streams, json_each(metadata, '$.tags') AS tag
  WHERE streams.id = NEW.id;
  ${insertType}`;

const deleteTexts = (doc: string) => `
  DELETE FROM search_words WHERE rowid = ${doc};
  DELETE FROM search_facets WHERE doc = ${doc};`;

export const searchSchema = `
  ALTER TABLE streams ADD COLUMN audio TEXT;

  CREATE TABLE search_streams (
    doc          INTEGER NOT NULL PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    state        INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    title        TEXT    NOT NULL COLLATE NOCASE,
    duration     REAL    NOT NULL,
    is_described INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX search_by_created ON search_streams (created_at, doc);
  CREATE INDEX search_by_size ON search_streams (size, doc);
  CREATE INDEX search_by_title ON search_streams (title, doc);
  CREATE INDEX search_by_duration ON search_streams (duration, doc);
  CREATE INDEX search_undescribed ON search_streams (doc) WHERE is_described = 0 AND state = 2;

  CREATE VIRTUAL TABLE search_words USING fts5 (
    text, content = '', contentless_delete = 1, prefix = '2 3', tokenize = "unicode61 remove_diacritics 2"
  );
  CREATE TABLE search_facets (
    name  TEXT    NOT NULL,
    value TEXT    NOT NULL COLLATE NOCASE,
    doc   INTEGER NOT NULL,
    PRIMARY KEY (name, value, doc)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX search_facets_by_doc ON search_facets (doc);

  CREATE TRIGGER search_stream_inserted AFTER INSERT ON search_streams BEGIN ${insertTexts} END;
  CREATE TRIGGER search_stream_renamed AFTER UPDATE OF title ON search_streams BEGIN
    ${deleteTexts("OLD.doc")} ${insertTexts}
  END;
  CREATE TRIGGER search_stream_deleted AFTER DELETE ON search_streams BEGIN ${deleteTexts("OLD.doc")} END;

  CREATE TRIGGER search_inserted AFTER INSERT ON streams BEGIN ${searchColumns} WHERE id = NEW.id; END;
  CREATE TRIGGER search_grown AFTER UPDATE OF state, size ON streams
  WHEN NEW.state <> OLD.state OR NEW.size <> OLD.size
  BEGIN
    UPDATE search_streams SET (state, size, is_described) =
      (SELECT state, size, ${hasProperties} FROM streams WHERE id = NEW.id)
    WHERE id = NEW.id;
  END;
  CREATE TRIGGER search_detected AFTER UPDATE OF format ON streams WHEN NEW.format IS NOT OLD.format BEGIN
    DELETE FROM search_facets WHERE name = 'type' AND doc = (SELECT doc FROM search_streams WHERE id = NEW.id);
    ${insertType}
  END;
  CREATE TRIGGER search_described AFTER UPDATE OF metadata, audio ON streams
  WHEN NEW.metadata IS NOT OLD.metadata OR NEW.audio IS NOT OLD.audio
  BEGIN
    UPDATE search_streams SET (title, duration, is_described) =
      (SELECT ${title}, ${duration}, ${hasProperties} FROM streams WHERE id = NEW.id)
    WHERE id = NEW.id;
  END;
  CREATE TRIGGER search_deleted AFTER DELETE ON streams BEGIN DELETE FROM search_streams WHERE id = OLD.id; END;
`;
