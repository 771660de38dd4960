/** The tables of what belongs to all nodes: devices, tokens, sessions and events. */

export const sharedTables = `
  CREATE TABLE devices (
    id         text    COLLATE "C" NOT NULL PRIMARY KEY,
    mode       integer NOT NULL,
    report     text,
    created_at bigint  NOT NULL,
    seen_at    bigint  NOT NULL
  );
  CREATE TABLE tokens (
    id         text   COLLATE "C" NOT NULL PRIMARY KEY,
    sha256     text   NOT NULL UNIQUE,
    grants     text   NOT NULL,
    limits     text   NOT NULL,
    note       text   NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    used_at    bigint,
    revoked_at bigint
  );


  CREATE TABLE event_sequence (one integer NOT NULL PRIMARY KEY, seq bigint NOT NULL);
  INSERT INTO event_sequence VALUES (1, 0);
  CREATE TABLE events (
    id      bigint NOT NULL PRIMARY KEY,
    type    text   NOT NULL,
    subject text   NOT NULL,
    at      bigint NOT NULL,
    data    text   NOT NULL
  );
  CREATE TABLE event_consumers (
    name     text   COLLATE "C" NOT NULL PRIMARY KEY,
    position bigint NOT NULL,
    seen_at  bigint NOT NULL DEFAULT ${Number.MAX_SAFE_INTEGER}
  );
  CREATE TABLE event_deliveries (
    consumer        text    COLLATE "C" NOT NULL,
    id              bigint  NOT NULL,
    type            text    NOT NULL,
    subject         text    NOT NULL,
    at              bigint  NOT NULL,
    data            text    NOT NULL,
    attempts        integer NOT NULL,
    first_failed_at bigint,
    next_at         bigint  NOT NULL,
    error           text,
    dead            integer NOT NULL,
    PRIMARY KEY (consumer, id)
  );
  CREATE INDEX event_deliveries_by_state ON event_deliveries (consumer, dead, id);
`;

/** Nodes look here for tokens that another one has changed. Recording a use is no change. */
export const tokenNews = `
  CREATE TABLE token_version (one integer NOT NULL PRIMARY KEY, version bigint NOT NULL);
  INSERT INTO token_version VALUES (1, 0);
  CREATE FUNCTION count_token_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE token_version SET version = version + 1;
    RETURN NULL;
  END $$;
  CREATE TRIGGER tokens_changed AFTER INSERT OR DELETE OR UPDATE OF revoked_at, grants, limits, expires_at ON tokens
    FOR EACH STATEMENT EXECUTE FUNCTION count_token_change();
`;

/** The node that delivers to a consumer. */
export const consumerOwners = `
  ALTER TABLE event_consumers
    ADD COLUMN owner   text   COLLATE "C",
    ADD COLUMN epoch   bigint NOT NULL DEFAULT 0,
    ADD COLUMN config  text   NOT NULL DEFAULT '',
    ADD COLUMN replays bigint NOT NULL DEFAULT 0;
`;

/** Sessions of browsers, and keys. Nodes look for sessions that have ended; a new one is looked up when it is used. */
export const browserSessions = `
  CREATE TABLE browser_sessions (
    sha256         text    COLLATE "C" NOT NULL PRIMARY KEY,
    id             text    COLLATE "C" NOT NULL UNIQUE,
    kind           text    NOT NULL,
    subject        text    NOT NULL,
    jwt_grants     text,
    jwt_expires_at bigint,
    jwt_verifier   text,
    opened_at      bigint  NOT NULL,
    expires_at     bigint  NOT NULL,
    used_at        bigint  NOT NULL,
    address        text    NOT NULL,
    agent          text    NOT NULL
  );
  CREATE TABLE shared_keys (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    key  text NOT NULL
  );
  CREATE TABLE session_version (one integer NOT NULL PRIMARY KEY, version bigint NOT NULL);
  INSERT INTO session_version VALUES (1, 0);
  CREATE FUNCTION count_ended_session() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE session_version SET version = version + 1;
    RETURN NULL;
  END $$;
  CREATE TRIGGER sessions_ended AFTER DELETE ON browser_sessions
    FOR EACH STATEMENT EXECUTE FUNCTION count_ended_session();
`;
