/** The tables of unfinished uploads whose parts are in the archive. They belong to their streams, whatever node has those. */

export const partTables = `
  CREATE TABLE parted_uploads (
    stream_id text COLLATE "C" NOT NULL PRIMARY KEY,
    key       text COLLATE "C" NOT NULL,
    upload_id text,
    base_key  text COLLATE "C"
  );
  CREATE TABLE upload_parts (
    key    text   COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    size   bigint NOT NULL,
    etag   text   NOT NULL,
    crc32  text   NOT NULL,
    sums   text   NOT NULL,
    PRIMARY KEY (key, number)
  );
  CREATE FUNCTION end_parted_stream() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    DELETE FROM parted_uploads WHERE stream_id = OLD.id;
    RETURN NULL;
  END $$;
  CREATE TRIGGER parted_stream_removed AFTER DELETE ON streams FOR EACH ROW EXECUTE FUNCTION end_parted_stream();
  CREATE FUNCTION end_parted_upload() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    is_adopted boolean := EXISTS (
      SELECT 1 FROM streams s JOIN archive_items i ON i.node = s.node AND i.sha256 = s.sha256
      WHERE s.id = OLD.stream_id AND i.key = OLD.key);
  BEGIN
    INSERT INTO archive_removals (key, size, upload_id)
    SELECT OLD.key, 0, OLD.upload_id WHERE OLD.upload_id IS NOT NULL AND NOT is_adopted
    UNION ALL SELECT OLD.base_key, 0, NULL WHERE OLD.base_key IS NOT NULL
    ON CONFLICT DO NOTHING;
    DELETE FROM upload_parts WHERE key = OLD.base_key OR (key = OLD.key AND NOT is_adopted);
    RETURN NULL;
  END $$;
  CREATE TRIGGER parted_upload_ended AFTER DELETE ON parted_uploads
    FOR EACH ROW EXECUTE FUNCTION end_parted_upload();
  CREATE FUNCTION end_item_parts() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    DELETE FROM upload_parts WHERE key = OLD.key;
    RETURN NULL;
  END $$;
  CREATE TRIGGER parted_item_stored AFTER UPDATE OF upload_id ON archive_items FOR EACH ROW
    WHEN (OLD.upload_id IS NOT NULL AND NEW.upload_id IS DISTINCT FROM OLD.upload_id)
    EXECUTE FUNCTION end_item_parts();
  CREATE TRIGGER parted_item_removed AFTER DELETE ON archive_items FOR EACH ROW
    WHEN (OLD.upload_id IS NOT NULL) EXECUTE FUNCTION end_item_parts();
`;
