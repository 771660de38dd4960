/** The items of recordings in the archive. Triggers keep them in step with the recordings. */

const tables = `
  CREATE TABLE archive_recordings (
    recording   bigint  NOT NULL PRIMARY KEY,
    node        text    COLLATE "C" NOT NULL DEFAULT current_setting('wavecache.node'),
    name        text    COLLATE "C" NOT NULL,
    sha256      text    COLLATE "C" NOT NULL,
    size        bigint  NOT NULL,
    key         text    COLLATE "C" NOT NULL,
    is_archived integer NOT NULL DEFAULT 0,
    is_local    integer NOT NULL DEFAULT 1,
    used_at     bigint  NOT NULL,
    queued_at   bigint  NOT NULL,
    due_ms      bigint  NOT NULL DEFAULT 0,
    failures    integer NOT NULL DEFAULT 0,
    upload_id   text
  );
  CREATE INDEX archive_recordings_queued ON archive_recordings (node, queued_at) WHERE is_archived = 0;
  CREATE INDEX archive_recordings_by_content ON archive_recordings (sha256);
  CREATE INDEX archive_recordings_evictable ON archive_recordings (node, used_at, recording)
    WHERE is_archived = 1 AND is_local = 1;
  CREATE INDEX archive_recordings_uploads ON archive_recordings (node, sha256) WHERE upload_id IS NOT NULL;
  CREATE TABLE archive_recording_totals (
    node           text   COLLATE "C" NOT NULL PRIMARY KEY,
    queued         bigint NOT NULL DEFAULT 0,
    queued_bytes   bigint NOT NULL DEFAULT 0,
    archived       bigint NOT NULL DEFAULT 0,
    archived_bytes bigint NOT NULL DEFAULT 0,
    evicted        bigint NOT NULL DEFAULT 0,
    evicted_bytes  bigint NOT NULL DEFAULT 0
  );
`;

/** A node of the version before has no row until it starts with this one, so the first change makes it. */
const totals = `
  CREATE FUNCTION count_archive_recording(i archive_recordings, factor integer) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO archive_recording_totals AS t
      (node, queued, queued_bytes, archived, archived_bytes, evicted, evicted_bytes)
    VALUES (i.node, factor * (1 - i.is_archived), factor * (1 - i.is_archived) * i.size, factor * i.is_archived,
      factor * i.is_archived * i.size, factor * (1 - i.is_local), factor * (1 - i.is_local) * i.size)
    ON CONFLICT (node) DO UPDATE SET
      queued = t.queued + excluded.queued,
      queued_bytes = t.queued_bytes + excluded.queued_bytes,
      archived = t.archived + excluded.archived,
      archived_bytes = t.archived_bytes + excluded.archived_bytes,
      evicted = t.evicted + excluded.evicted,
      evicted_bytes = t.evicted_bytes + excluded.evicted_bytes;
  END $$;
  CREATE FUNCTION count_archive_recordings() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM count_archive_recording(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM count_archive_recording(NEW, 1); END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER archive_recordings_counted
    AFTER INSERT OR DELETE OR UPDATE OF is_archived, is_local ON archive_recordings
    FOR EACH ROW EXECUTE FUNCTION count_archive_recordings();
`;

const recordings = `
  CREATE FUNCTION release_recording(old_id bigint) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO archive_removals (node, key, size, upload_id)
    SELECT node, key, size, upload_id FROM archive_recordings WHERE recording = old_id
    ON CONFLICT DO NOTHING;
    DELETE FROM archive_recordings WHERE recording = old_id;
  END $$;
  CREATE FUNCTION archive_recording() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM release_recording(OLD.id); END IF;
    IF TG_OP <> 'DELETE' AND EXISTS (SELECT 1 FROM meta WHERE node = NEW.node AND name = 'archive_on') THEN
      INSERT INTO archive_recordings (recording, node, name, sha256, size, key, used_at, queued_at)
      VALUES (NEW.id, NEW.node, NEW.name, NEW.wav_sha256, NEW.wav_bytes,
        'recordings/' || NEW.name || '.' || substr(md5(random()::text || clock_timestamp()::text), 1, 8) || '.wav',
        greatest(NEW.read_at, NEW.ended_at), NEW.ended_at);
    END IF;
    RETURN NULL;
  END $$;
  CREATE FUNCTION use_archived_recording() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE archive_recordings SET used_at = NEW.read_at WHERE recording = NEW.id AND used_at < NEW.read_at;
    RETURN NULL;
  END $$;
  CREATE TRIGGER recordings_archived AFTER INSERT OR DELETE OR UPDATE OF name, wav_sha256 ON recordings
    FOR EACH ROW EXECUTE FUNCTION archive_recording();
  CREATE TRIGGER recordings_used AFTER UPDATE OF read_at ON recordings
    FOR EACH ROW EXECUTE FUNCTION use_archived_recording();
`;

export const removalDueColumn = `
  ALTER TABLE archive_removals ADD COLUMN due_ms bigint NOT NULL DEFAULT 0;
  CREATE INDEX archive_removals_due ON archive_removals (node, due_ms, key);
`;

export const archivedRecordingTables = tables + totals + recordings;
