/** The tables of the archive: what a node stores there, and has here. Triggers keep them in step with the streams. */

const tables = `
  CREATE TABLE archive_items (
    node        text    COLLATE "C" NOT NULL DEFAULT current_setting('wavecache.node'),
    sha256      text    COLLATE "C" NOT NULL,
    size        bigint  NOT NULL,
    key         text    COLLATE "C" NOT NULL,
    is_archived integer NOT NULL DEFAULT 0,
    is_local    integer NOT NULL DEFAULT 1,
    used_at     bigint  NOT NULL,
    queued_at   bigint  NOT NULL,
    due_ms      bigint  NOT NULL DEFAULT 0,
    failures    integer NOT NULL DEFAULT 0,
    upload_id   text,
    PRIMARY KEY (node, sha256)
  );
  CREATE INDEX archive_queued ON archive_items (node, queued_at) WHERE is_archived = 0;
  CREATE INDEX archive_items_by_object ON archive_items (sha256);
  CREATE INDEX archive_uploads ON archive_items (node, sha256) WHERE upload_id IS NOT NULL;
  CREATE INDEX archive_evictable ON archive_items (node, used_at, sha256)
    WHERE is_archived = 1 AND is_local = 1 AND size > 0;
  CREATE TABLE archive_removals (
    node      text   COLLATE "C" NOT NULL DEFAULT current_setting('wavecache.node'),
    key       text   COLLATE "C" NOT NULL,
    size      bigint NOT NULL,
    upload_id text,
    PRIMARY KEY (node, key)
  );
  CREATE TABLE archive_totals (
    node           text   COLLATE "C" NOT NULL PRIMARY KEY,
    queued         bigint NOT NULL DEFAULT 0,
    queued_bytes   bigint NOT NULL DEFAULT 0,
    archived       bigint NOT NULL DEFAULT 0,
    archived_bytes bigint NOT NULL DEFAULT 0,
    evicted        bigint NOT NULL DEFAULT 0,
    evicted_bytes  bigint NOT NULL DEFAULT 0,
    removals       bigint NOT NULL DEFAULT 0
  );
`;

const totals = `
  CREATE FUNCTION count_archive_item(i archive_items, factor integer) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE archive_totals SET
      queued = queued + factor * (1 - i.is_archived),
      queued_bytes = queued_bytes + factor * (1 - i.is_archived) * i.size,
      archived = archived + factor * i.is_archived,
      archived_bytes = archived_bytes + factor * i.is_archived * i.size,
      evicted = evicted + factor * (1 - i.is_local),
      evicted_bytes = evicted_bytes + factor * (1 - i.is_local) * i.size
    WHERE node = i.node;
  END $$;
  CREATE FUNCTION count_archive_items() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM count_archive_item(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM count_archive_item(NEW, 1); END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER archive_items_counted AFTER INSERT OR DELETE OR UPDATE OF is_archived, is_local ON archive_items
    FOR EACH ROW EXECUTE FUNCTION count_archive_items();
  CREATE FUNCTION count_archive_removals() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    n text := coalesce(NEW.node, OLD.node);
  BEGIN
    UPDATE archive_totals SET removals = removals + CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END WHERE node = n;
    RETURN NULL;
  END $$;
  CREATE TRIGGER archive_removals_counted AFTER INSERT OR DELETE ON archive_removals
    FOR EACH ROW EXECUTE FUNCTION count_archive_removals();
`;

/** An upload brings the audio here; what is entered otherwise may be in the archive alone. */
const streams = `
  CREATE FUNCTION archive_finished(s streams, is_upload boolean) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    tag text := substr(md5(random()::text || clock_timestamp()::text), 1, 8);
    is_wrong boolean := is_upload AND EXISTS (
      SELECT 1 FROM streams o WHERE o.node = s.node AND o.sha256 = s.sha256 AND o.damaged = 1);
  BEGIN
    IF NOT EXISTS (SELECT 1 FROM meta WHERE node = s.node AND name = 'archive_on') THEN RETURN; END IF;
    INSERT INTO archive_items (node, sha256, size, key, used_at, queued_at)
    VALUES (s.node, s.sha256, s.size, 'objects/' || left(s.sha256, 2) || '/' || s.sha256 || '.' || tag,
      s.finished_at, s.finished_at)
    ON CONFLICT (node, sha256) DO UPDATE SET
      is_local = CASE WHEN is_upload THEN 1 ELSE archive_items.is_local END,
      is_archived = CASE WHEN is_wrong THEN 0 ELSE archive_items.is_archived END,
      used_at = greatest(archive_items.used_at, excluded.used_at);
  END $$;
  CREATE FUNCTION archive_stream() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'INSERT' THEN
      PERFORM archive_finished(NEW, false);
    ELSIF TG_OP = 'UPDATE' AND OLD.state < 2 THEN
      PERFORM archive_finished(NEW, true);
    ELSIF TG_OP = 'UPDATE' THEN
      UPDATE archive_items SET used_at = NEW.read_at
      WHERE node = NEW.node AND sha256 = NEW.sha256 AND used_at < NEW.read_at;
    ELSIF NOT EXISTS (
      SELECT 1 FROM streams WHERE node = OLD.node AND sha256 = OLD.sha256 AND state = 2
    ) THEN
      INSERT INTO archive_removals (node, key, size, upload_id)
      SELECT node, key, size, upload_id FROM archive_items WHERE node = OLD.node AND sha256 = OLD.sha256
      ON CONFLICT DO NOTHING;
      DELETE FROM archive_items WHERE node = OLD.node AND sha256 = OLD.sha256;
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER streams_archived AFTER INSERT OR UPDATE OF state, read_at ON streams FOR EACH ROW
    WHEN (NEW.state = 2) EXECUTE FUNCTION archive_stream();
  CREATE TRIGGER streams_released AFTER DELETE ON streams FOR EACH ROW
    WHEN (OLD.state = 2) EXECUTE FUNCTION archive_stream();
`;

export const archiveTables = tables + totals + streams;
