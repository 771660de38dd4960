/** The tables of recordings, and what goes with them. */
import { recordingFileBytes } from "../../retention/sql.ts";

const node = `node text COLLATE "C" NOT NULL DEFAULT current_setting('wavecache.node')`;
const source = `coalesce(OLD.device, '#' || OLD.stream_id)`;

const recordings = `
  CREATE TABLE recordings (
    id              bigint  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ${node},
    name            text    COLLATE "C" NOT NULL,
    device          text    COLLATE "C",
    stream_id       bigint  NOT NULL,
    codec           text    NOT NULL,
    sample_rate     bigint  NOT NULL,
    channels        bigint  NOT NULL,
    started_at      bigint  NOT NULL,
    ended_at        bigint  NOT NULL,
    frames          bigint  NOT NULL,
    samples         bigint  NOT NULL,
    gaps            bigint  NOT NULL,
    lost_frames     bigint  NOT NULL,
    nibble_order    text,
    nibble_order_by text,
    bin_bytes       bigint  NOT NULL,
    bin_sha256      text    NOT NULL,
    wav_bytes       bigint  NOT NULL,
    wav_sha256      text    NOT NULL,
    wav_checksum    text,
    session         bigint  NOT NULL,
    position        bigint  NOT NULL,
    span            bigint  NOT NULL,
    losses          text,
    account         text,
    pinned          integer NOT NULL DEFAULT 0,
    read_at         bigint  NOT NULL DEFAULT 0,
    file_bytes      bigint  GENERATED ALWAYS AS (${recordingFileBytes}) STORED,
    UNIQUE (node, name)
  );
  CREATE INDEX recordings_by_node ON recordings (node, id);
  CREATE INDEX recordings_by_time ON recordings (started_at, id);
  CREATE INDEX recordings_by_device ON recordings (device, started_at, id) WHERE device IS NOT NULL;
  CREATE INDEX recordings_by_position ON recordings (session, position);
  CREATE INDEX recordings_with_losses ON recordings (session, position) WHERE losses IS NOT NULL;
  CREATE INDEX recordings_by_use ON recordings (node, greatest(read_at, ended_at), id) WHERE pinned = 0;
  CREATE INDEX recordings_by_age ON recordings (node, ended_at, id) WHERE pinned = 0;

  CREATE TABLE started_segments (
    ${node},
    name    text COLLATE "C" NOT NULL,
    details text NOT NULL,
    PRIMARY KEY (node, name)
  );
  CREATE TABLE recording_joins (
    ${node},
    name      text COLLATE "C" NOT NULL,
    sources   text NOT NULL,
    joined_at bigint,
    PRIMARY KEY (node, name)
  );
`;

const overviews = `
  CREATE TABLE recording_overviews (
    ${node},
    source            text    COLLATE "C" NOT NULL,
    started_at        bigint  NOT NULL,
    name              text    COLLATE "C" NOT NULL,
    start_us          bigint  NOT NULL,
    sample_rate       bigint  NOT NULL,
    channels          bigint  NOT NULL,
    samples_per_pixel bigint  NOT NULL,
    overview          bytea   NOT NULL,
    peak              bigint  NOT NULL,
    mean_square       double precision NOT NULL,
    clipped           bigint  NOT NULL,
    PRIMARY KEY (node, source, started_at, name)
  );
  CREATE INDEX recording_overviews_by_time ON recording_overviews (source, started_at, name);
  CREATE FUNCTION forget_overview() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    DELETE FROM recording_overviews o
    WHERE o.node = OLD.node AND o.source = ${source} AND o.started_at = OLD.started_at AND o.name = OLD.name;
    RETURN NULL;
  END $$;
  CREATE TRIGGER recordings_overview_deleted AFTER DELETE ON recordings
    FOR EACH ROW EXECUTE FUNCTION forget_overview();
`;

const timeline = `
  CREATE TABLE recording_sessions (
    id             bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key            text   COLLATE "C" NOT NULL UNIQUE,
    source         text   COLLATE "C" NOT NULL,
    stream_id      bigint NOT NULL,
    sample_rate    bigint NOT NULL,
    channels       bigint NOT NULL,
    start_us       bigint NOT NULL,
    run            text   NOT NULL,
    stepped_ms     double precision NOT NULL,
    device_time_ms double precision,
    ended          text
  );
  CREATE INDEX recording_sessions_by_source ON recording_sessions (source);
  CREATE TABLE recording_spans (
    session     bigint NOT NULL,
    first       bigint NOT NULL,
    past        bigint NOT NULL,
    segments    bigint NOT NULL,
    samples     bigint NOT NULL,
    lost_frames bigint NOT NULL,
    source      text   COLLATE "C" NOT NULL,
    start_us    bigint NOT NULL,
    end_us      bigint NOT NULL,
    PRIMARY KEY (session, first)
  );
  CREATE INDEX recording_spans_by_end ON recording_spans (source, end_us, start_us);
  CREATE INDEX recording_spans_by_start ON recording_spans (source, start_us);
  CREATE TABLE sound_spans (
    ${node},
    source     text   COLLATE "C" NOT NULL,
    started_at bigint NOT NULL,
    stream_id  bigint NOT NULL,
    device     text   COLLATE "C",
    kind       text   NOT NULL,
    ended_at   bigint,
    PRIMARY KEY (source, started_at, stream_id)
  );
  CREATE INDEX sound_spans_open ON sound_spans (node) WHERE ended_at IS NULL;
`;

/** Triggers keep the totals of recordings, so that no transaction can forget them. */
const retention = `
  CREATE TABLE pinned_ranges (
    id      bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device  text   COLLATE "C" NOT NULL,
    from_at bigint NOT NULL,
    to_at   bigint NOT NULL
  );
  CREATE INDEX pinned_ranges_by_device ON pinned_ranges (device, from_at);
  CREATE TABLE usage_samples (
    ${node},
    at              bigint NOT NULL,
    stream_bytes    bigint NOT NULL,
    recording_bytes bigint NOT NULL,
    PRIMARY KEY (node, at)
  );
  CREATE TABLE recording_totals (
    node       text   COLLATE "C" NOT NULL PRIMARY KEY,
    recordings bigint NOT NULL DEFAULT 0,
    bytes      bigint NOT NULL DEFAULT 0
  );
  CREATE FUNCTION count_recording(r recordings, factor integer) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE recording_totals SET recordings = recordings + factor, bytes = bytes + factor * r.file_bytes
    WHERE node = r.node;
    IF r.account IS NOT NULL THEN
      INSERT INTO stored_bytes VALUES (r.account, r.node, factor * r.file_bytes)
      ON CONFLICT (account, node) DO UPDATE SET bytes = stored_bytes.bytes + excluded.bytes;
    END IF;
  END $$;
  CREATE FUNCTION count_recordings() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM count_recording(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM count_recording(NEW, 1); END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER recordings_counted AFTER INSERT OR DELETE OR UPDATE OF bin_bytes, wav_bytes, samples ON recordings
    FOR EACH ROW EXECUTE FUNCTION count_recordings();
`;

export const recordingTables = recordings + overviews + timeline + retention;
