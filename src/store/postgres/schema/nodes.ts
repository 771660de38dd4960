/**
 * What a node has to do because another one has changed what they share (store/nodes/tasks.ts). Triggers leave the tasks, so
 * that no removal can forget the files of another node.
 */

const tasks = `
  CREATE TABLE node_tasks (
    id      bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node    text   COLLATE "C" NOT NULL,
    kind    text   COLLATE "C" NOT NULL,
    subject text   COLLATE "C" NOT NULL,
    key     text   COLLATE "C" NOT NULL DEFAULT '',
    sha256  text   COLLATE "C"
  );
  CREATE INDEX node_tasks_by_subject ON node_tasks (node, kind, subject);
`;

const removals = `
  CREATE FUNCTION leave_stream_removal() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO node_tasks (node, kind, subject, key, sha256)
    VALUES (OLD.node, CASE WHEN OLD.state = 2 THEN 'stream' ELSE 'upload' END, OLD.id, OLD.key, OLD.sha256);
    RETURN NULL;
  END $$;
  CREATE TRIGGER streams_removed_elsewhere AFTER DELETE ON streams FOR EACH ROW
    WHEN (OLD.node IS DISTINCT FROM current_setting('wavecache.node', true)) EXECUTE FUNCTION leave_stream_removal();
  CREATE FUNCTION leave_recording_removal() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO node_tasks (node, kind, subject) VALUES (OLD.node, 'recording', OLD.name);
    RETURN NULL;
  END $$;
  CREATE TRIGGER recordings_removed_elsewhere AFTER DELETE ON recordings FOR EACH ROW
    WHEN (OLD.node IS DISTINCT FROM current_setting('wavecache.node', true)) EXECUTE FUNCTION leave_recording_removal();
`;

/** A journal may know a stream that another node has removed: it does not come back before the node has learnt of that. */
const entries = `
  CREATE FUNCTION refuse_removed_stream() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF EXISTS (
      SELECT 1 FROM node_tasks WHERE node = NEW.node AND kind = 'stream' AND subject = NEW.id AND key = NEW.key
    ) THEN RETURN NULL; END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER streams_entered BEFORE INSERT ON streams FOR EACH ROW
    WHEN (NEW.state = 2) EXECUTE FUNCTION refuse_removed_stream();
`;

export const nodeTasks = tasks + removals + entries;
