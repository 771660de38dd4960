/**
 * The tables of streams. They hold what those of SQLite do, with the node of each row: by default the one that inserts it.
 * Texts that are sorted have the collation of bytes. No index is a hash index: it walks over all rows of equal value to
 * enter one more, and many streams have the same type or name.
 */

/**
 * A name may have any character, and no index takes a long text: what is sorted is cut. PostgreSQL has no NUL in texts, so
 * its escape in the JSON becomes U+FFFD.
 */
const functions = `
  CREATE FUNCTION stream_facts(metadata text) RETURNS jsonb IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT replace(metadata, '\\u0000', '\\ufffd')::jsonb
  $$;
  CREATE FUNCTION base_name(name text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT regexp_replace(name, '^.*/', '')
  $$;
  CREATE FUNCTION bare_type(type text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
    SELECT lower(rtrim(split_part(type, ';', 1)) COLLATE "C")
  $$;
`;

/**
 * `search_texts` repeats what never changes of a stream and what lists are sorted by: an index of a list and that of the
 * words can be combined on one table alone.
 */
const streams = `
  CREATE TABLE streams (
    doc         bigint  NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    id          text    COLLATE "C" NOT NULL PRIMARY KEY,
    node        text    COLLATE "C" NOT NULL DEFAULT current_setting('wavecache.node'),
    state       integer NOT NULL,
    key         text    COLLATE "C" NOT NULL,
    size        bigint  NOT NULL,
    durable     bigint  NOT NULL DEFAULT 0,
    sha256      text    COLLATE "C",
    format      text,
    metadata    text,
    audio       text,
    created_at  bigint  NOT NULL,
    updated_at  bigint  NOT NULL,
    finished_at bigint,
    epoch       bigint  NOT NULL DEFAULT 0,
    touched_ms  bigint  NOT NULL DEFAULT 0,
    damaged     integer NOT NULL DEFAULT 0,
    pinned      integer NOT NULL DEFAULT 0,
    read_at     bigint  NOT NULL DEFAULT 0,
    account     text,
    name        text GENERATED ALWAYS AS (stream_facts(metadata) -> 'tags' ->> 'name') STORED,
    title       text COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(left(coalesce(
                  nullif(stream_facts(metadata) -> 'tags' ->> 'title', ''),
                  nullif(base_name(stream_facts(metadata) -> 'tags' ->> 'name'), ''),
                  id), 500) COLLATE "C")) STORED,
    type        text GENERATED ALWAYS AS (
                  bare_type(coalesce(stream_facts(metadata) ->> 'contentType', format))) STORED,
    duration    double precision NOT NULL GENERATED ALWAYS AS (
                  coalesce((audio::jsonb ->> 'duration')::double precision, -1)) STORED
  );
  CREATE INDEX streams_by_node ON streams (node, id);
  CREATE INDEX streams_by_object ON streams (node, sha256, id) WHERE sha256 IS NOT NULL;
  CREATE INDEX streams_by_touch ON streams (node, touched_ms) WHERE state = 0;
  CREATE INDEX streams_unfinished_ids ON streams (id) WHERE state = 0;
  CREATE INDEX streams_sealed_ids ON streams (id) WHERE state = 1;
  CREATE INDEX streams_finished_ids ON streams (id) WHERE state = 2;
  CREATE INDEX streams_by_key ON streams (key) WHERE state < 2;
  CREATE INDEX streams_by_name ON streams (left(base_name(name), 200)) WHERE name IS NOT NULL;
  CREATE INDEX streams_damaged ON streams (node) WHERE damaged = 1;
  CREATE INDEX streams_by_use ON streams (node, greatest(read_at, finished_at), id) WHERE state = 2 AND pinned = 0;
  CREATE INDEX streams_by_age ON streams (node, finished_at, id) WHERE state = 2 AND pinned = 0;
  CREATE INDEX streams_undescribed ON streams (node, doc)
    WHERE state = 2 AND audio IS NULL AND format IS NOT NULL AND size > 0;
  CREATE INDEX search_by_created ON streams (created_at, doc);
  CREATE INDEX search_by_size ON streams (size, doc);
  CREATE INDEX search_by_title ON streams (title, doc);
  CREATE INDEX search_by_duration ON streams (duration, doc);
  CREATE INDEX search_by_type ON streams (type);

  CREATE TABLE search_texts (
    doc        bigint   NOT NULL PRIMARY KEY REFERENCES streams (doc) ON DELETE CASCADE,
    id         text     COLLATE "C" NOT NULL,
    created_at bigint   NOT NULL,
    words      tsvector NOT NULL,
    tags       bigint[] NOT NULL
  );
  CREATE INDEX search_by_words ON search_texts USING gin (words);
  CREATE INDEX search_by_tags ON search_texts USING gin (tags);
  CREATE INDEX search_texts_by_id ON search_texts (id);
  CREATE INDEX search_texts_by_created ON search_texts (created_at, doc);
`;

/** Triggers keep the totals, so that no transaction can forget them: a row for each node, as nodes would wait for one. */
const totals = `
  CREATE TABLE totals (
    node             text   COLLATE "C" NOT NULL PRIMARY KEY,
    finished         bigint NOT NULL DEFAULT 0,
    unfinished       bigint NOT NULL DEFAULT 0,
    unfinished_bytes bigint NOT NULL DEFAULT 0,
    objects          bigint NOT NULL DEFAULT 0,
    object_bytes     bigint NOT NULL DEFAULT 0
  );
  CREATE TABLE stored_bytes (
    account text   NOT NULL,
    node    text   COLLATE "C" NOT NULL,
    bytes   bigint NOT NULL,
    PRIMARY KEY (account, node)
  );

  CREATE FUNCTION count_stream(s streams, factor integer) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    is_finished integer := (s.state = 2)::integer;
    is_object integer := (s.state = 2 AND s.size > 0 AND NOT EXISTS (
      SELECT 1 FROM streams o WHERE o.node = s.node AND o.sha256 = s.sha256 AND o.state = 2 AND o.id <> s.id
    ))::integer;
  BEGIN
    UPDATE totals SET
      finished = finished + factor * is_finished,
      unfinished = unfinished + factor * (1 - is_finished),
      unfinished_bytes = unfinished_bytes + factor * (1 - is_finished) * s.size,
      objects = objects + factor * is_object,
      object_bytes = object_bytes + factor * is_object * s.size
    WHERE node = s.node;
    IF s.account IS NOT NULL THEN
      INSERT INTO stored_bytes VALUES (s.account, s.node, factor * s.size)
      ON CONFLICT (account, node) DO UPDATE SET bytes = stored_bytes.bytes + excluded.bytes;
    END IF;
  END $$;
  CREATE FUNCTION count_streams() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM count_stream(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM count_stream(NEW, 1); END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER streams_counted AFTER INSERT OR DELETE ON streams FOR EACH ROW EXECUTE FUNCTION count_streams();
  CREATE TRIGGER streams_recounted AFTER UPDATE OF state, size, account, node ON streams FOR EACH ROW
    WHEN ((OLD.state, OLD.size, OLD.node, OLD.account) IS DISTINCT FROM (NEW.state, NEW.size, NEW.node, NEW.account))
    EXECUTE FUNCTION count_streams();
`;

/**
 * `fence` is raised when a node opens the catalog, and when another one takes over what it did. A transaction that writes
 * holds a lock until its end, so that nobody raises it meanwhile.
 */
const nodes = `
  CREATE TABLE nodes (
    id          text        COLLATE "C" NOT NULL PRIMARY KEY,
    fence       bigint      NOT NULL,
    lease_until timestamptz NOT NULL
  );
  CREATE TABLE meta (
    node  text COLLATE "C" NOT NULL DEFAULT current_setting('wavecache.node'),
    name  text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (node, name)
  );
  CREATE TABLE boots (
    node       text    COLLATE "C" NOT NULL DEFAULT current_setting('wavecache.node'),
    one        integer NOT NULL,
    id         text,
    started_at bigint  NOT NULL,
    PRIMARY KEY (node, one)
  );
  CREATE FUNCTION check_fence(this_node text, token bigint) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(this_node, 0));
    PERFORM 1 FROM nodes WHERE id = this_node AND fence = token;
    IF NOT FOUND THEN RAISE EXCEPTION 'node % is fenced', this_node USING ERRCODE = 'WF001'; END IF;
  END $$;
`;

export const streamTables = nodes + functions + streams + totals;
