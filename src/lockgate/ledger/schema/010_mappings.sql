-- Mappings and what keeps them true: targets, change logs, and the rows that did not arrive one to one.

CREATE TABLE lockgate.sync_targets (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan            text NOT NULL,
    name            text NOT NULL,
    relid           oid NOT NULL,
    state           text NOT NULL CHECK (state IN ('backfill', 'live', 'off', 'unsynced')),
    reason          text,
    epoch           bigint NOT NULL DEFAULT 0,
    batch           bigint NOT NULL DEFAULT 0,
    snapshot        pg_snapshot NOT NULL,
    fingerprint     text,
    repair          boolean NOT NULL DEFAULT false,
    unseen          boolean NOT NULL DEFAULT false,
    trouble         text,
    own_rows_kept   boolean NOT NULL DEFAULT false,
    changes_applied bigint NOT NULL DEFAULT 0,
    rows_written    bigint NOT NULL DEFAULT 0,
    made_at         timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    last_applied_at timestamptz,
    UNIQUE (plan, name)
);
COMMENT ON COLUMN lockgate.sync_targets.own_rows_kept IS
    'Whether what the table held of the application''s own is known. Before it is, nothing is written there.';
COMMENT ON TABLE lockgate.sync_targets IS 'One applier works for each row: a table that mappings fill, or a transform.';
COMMENT ON COLUMN lockgate.sync_targets.repair IS 'Something happened that no log tells: everything must be compared.';
COMMENT ON COLUMN lockgate.sync_targets.unseen IS
    'The application may have written to the target unseen: what nothing yields is then taken for its own.';
COMMENT ON COLUMN lockgate.sync_targets.trouble IS 'Why changes cannot be applied at present.';

CREATE TABLE lockgate.mappings (
    plan       text NOT NULL,
    name       text NOT NULL,
    target_id  bigint NOT NULL REFERENCES lockgate.sync_targets,
    position   integer NOT NULL,
    definition jsonb NOT NULL,
    PRIMARY KEY (plan, name)
);

CREATE TABLE lockgate.logs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relid        oid NOT NULL,
    writer       text NOT NULL DEFAULT '',
    label        text NOT NULL,
    columns      integer[] NOT NULL,
    watched      integer[] NOT NULL,
    every_update boolean NOT NULL,
    segment      "char" NOT NULL DEFAULT 'a',
    cap          bigint NOT NULL,
    triggers     text,
    off_at       timestamptz,
    off_reason   text,
    UNIQUE (relid, writer)
);
COMMENT ON COLUMN lockgate.logs.writer IS
    'Empty: everybody''s writes are logged. Else the writes marked with this lockgate.writer are not.';
COMMENT ON COLUMN lockgate.logs.columns IS 'Catalog numbers of the columns whose old and new values are logged.';
COMMENT ON COLUMN lockgate.logs.watched IS 'Catalog numbers of the columns whose change makes an update count.';
COMMENT ON COLUMN lockgate.logs.triggers IS
    'What triggers_of says of its triggers as they were written; otherwise somebody else was at them.';

CREATE FUNCTION lockgate.triggers_of(log bigint, relid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT md5(string_agg(concat_ws(',', g.tgrelid, g.tgname, g.tgenabled, g.xmin), ';' ORDER BY g.tgrelid, g.tgname))
    FROM pg_trigger g
    WHERE g.tgname IN (format('lockgate_log_%s_insert', log), format('lockgate_log_%s_update', log),
                       format('lockgate_log_%s_delete', log), format('lockgate_log_%s_truncate', log))
      AND g.tgrelid IN (SELECT triggers_of.relid UNION ALL SELECT p.relid FROM pg_partition_tree(triggers_of.relid) p)
$$;
REVOKE ALL ON FUNCTION lockgate.triggers_of(bigint, oid) FROM PUBLIC;

CREATE TABLE lockgate.log_readers (
    target_id bigint NOT NULL REFERENCES lockgate.sync_targets ON DELETE CASCADE,
    log_id    bigint NOT NULL REFERENCES lockgate.logs ON DELETE CASCADE,
    PRIMARY KEY (target_id, log_id)
);

CREATE TABLE lockgate.backlog (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target_id bigint NOT NULL REFERENCES lockgate.sync_targets ON DELETE CASCADE,
    log_id    bigint NOT NULL REFERENCES lockgate.logs ON DELETE CASCADE,
    segment   "char" NOT NULL,
    next      bigint NOT NULL,
    until     bigint NOT NULL,
    since     pg_snapshot NOT NULL,
    taken     pg_snapshot NOT NULL
);
COMMENT ON TABLE lockgate.backlog IS
    'Logged changes that were seen in one snapshot but were too many for one batch: rows next to until, by id.';

CREATE TABLE lockgate.poison (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    target_id  bigint NOT NULL REFERENCES lockgate.sync_targets ON DELETE CASCADE,
    key        jsonb NOT NULL,
    error      text NOT NULL,
    sqlstate   text NOT NULL,
    attempts   integer NOT NULL DEFAULT 1,
    first_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    last_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    UNIQUE (target_id, key)
);
COMMENT ON TABLE lockgate.poison IS 'Keys that the target refuses; tried again, and when touched.';

CREATE TABLE lockgate.conflicts (
    target_id bigint NOT NULL REFERENCES lockgate.sync_targets ON DELETE CASCADE,
    key       jsonb NOT NULL,
    times     integer NOT NULL DEFAULT 1,
    first_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    last_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (target_id, key)
);
COMMENT ON TABLE lockgate.conflicts IS
    'Keys that the application wrote in the new model otherwise than the old one says; the old one''s row stands.';

CREATE TABLE lockgate.quarantine (
    plan     text NOT NULL,
    mapping  text NOT NULL,
    outcome  text NOT NULL CHECK (outcome IN ('merged', 'rejected')),
    reason   text NOT NULL,
    source   jsonb NOT NULL,
    kept     jsonb,
    into_key jsonb,
    at       timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE INDEX quarantine_mapping ON lockgate.quarantine (plan, mapping, outcome);
COMMENT ON TABLE lockgate.quarantine IS
    'Source rows that did not arrive one to one: rejected ones whole, merged ones with the key they went into.';

CREATE FUNCTION lockgate.switch_off(log bigint, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    piece text;
BEGIN
    -- Only one transaction at a time may replace the functions; the others need not wait for it.
    IF NOT pg_try_advisory_xact_lock(7166191, log::int) THEN
        RETURN;
    END IF;
    PERFORM FROM lockgate.logs l WHERE l.id = log AND l.off_at IS NULL FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE lockgate.logs l SET off_at = clock_timestamp(), off_reason = reason WHERE l.id = log;
    FOREACH piece IN ARRAY ARRAY['insert', 'update', 'delete'] LOOP
        EXECUTE format(
            'CREATE OR REPLACE FUNCTION lockgate.log_%s_%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER '
            'AS ''BEGIN RETURN NULL; END''', log, piece);
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    -- The application's snapshot may be older than the ledger's row. Its write does not fail; the next one tries again.
    RETURN;
END
$$;

CREATE FUNCTION lockgate.check_cap(log bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bytes bigint;
    cap bigint;
BEGIN
    SELECT l.cap INTO cap FROM lockgate.logs l WHERE l.id = log;
    bytes := pg_total_relation_size(format('lockgate.log_%s_a', log)::regclass)
           + pg_total_relation_size(format('lockgate.log_%s_b', log)::regclass);
    IF bytes > cap THEN
        PERFORM lockgate.switch_off(log, format('the change log reached %s bytes of %s', bytes, cap));
    END IF;
END
$$;

REVOKE ALL ON FUNCTION lockgate.switch_off(bigint, text), lockgate.check_cap(bigint) FROM PUBLIC;
