-- What the server has counted of reads and writes of tables, kept from time to time: its counters alone tell of no
-- time that has passed.

CREATE TABLE lockgate.usage_samples (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan           text NOT NULL,
    node           text NOT NULL,
    relid          oid NOT NULL,
    schema_name    text NOT NULL,
    table_name     text NOT NULL,
    seq_scan       bigint NOT NULL,
    idx_scan       bigint NOT NULL,
    n_tup_ins      bigint NOT NULL,
    n_tup_upd      bigint NOT NULL,
    n_tup_del      bigint NOT NULL,
    last_seq_scan  timestamptz,
    last_idx_scan  timestamptz,
    stats_reset    timestamptz,
    started_at     timestamptz NOT NULL,
    sampled_at     timestamptz NOT NULL,
    read_at        timestamptz NOT NULL,
    own            jsonb NOT NULL,
    own_counted    jsonb NOT NULL,
    gaps           jsonb NOT NULL,
    settled        boolean NOT NULL
);
CREATE INDEX usage_samples_of_table ON lockgate.usage_samples (plan, node, schema_name, table_name, sampled_at);
COMMENT ON TABLE lockgate.usage_samples IS
    'The server''s counters of a table at a time, for gates that ask whether it is still used; by `lockgate sample`.';
COMMENT ON COLUMN lockgate.usage_samples.node IS 'Which server counted: primary, or a replica by the variable that holds its address.';
COMMENT ON COLUMN lockgate.usage_samples.last_seq_scan IS 'From PostgreSQL 16 on, like last_idx_scan.';
COMMENT ON COLUMN lockgate.usage_samples.stats_reset IS
    'When the database''s counters were last set to zero, by hand or by a crash of the server.';
COMMENT ON COLUMN lockgate.usage_samples.started_at IS 'When the server was started.';
COMMENT ON COLUMN lockgate.usage_samples.sampled_at IS 'By the clock of the plan; read_at by the server''s.';
COMMENT ON COLUMN lockgate.usage_samples.own IS
    'Of all that is counted, what is known to be Lockgate''s own, by what it was for; some of it may not be counted yet.';
COMMENT ON COLUMN lockgate.usage_samples.own_counted IS 'Of it, what is known to be counted.';
COMMENT ON COLUMN lockgate.usage_samples.settled IS 'Whether all that is in own is known to be counted.';
COMMENT ON COLUMN lockgate.usage_samples.gaps IS
    'Sessions of Lockgate that may have done more since the sample before than is in own.';

-- What Lockgate itself does to these tables. The server counts it too, when a transaction has ended; each session of
-- Lockgate writes down what it is about to count, and has it counted at once. So what is written here and not yet
-- counted is at most the latest transaction of each session.

CREATE TABLE lockgate.usage_watched (relid oid PRIMARY KEY);
COMMENT ON TABLE lockgate.usage_watched IS 'The tables that are sampled: only for these, Lockgate counts its own work.';

CREATE TABLE lockgate.own_sessions (
    id             uuid PRIMARY KEY,
    purpose        text NOT NULL,
    pid            int NOT NULL,
    backend_start  timestamptz NOT NULL,
    lost           boolean NOT NULL DEFAULT false,
    closed_at      timestamptz
);
COMMENT ON TABLE lockgate.own_sessions IS
    'Sessions of Lockgate that count their work. One that has ended and was not closed has not counted all of it.';
COMMENT ON COLUMN lockgate.own_sessions.lost IS 'It could not count something that it did.';

CREATE TABLE lockgate.own_work (
    session           uuid,
    purpose           text NOT NULL,
    relid             oid NOT NULL,
    seq_scan          bigint NOT NULL,
    idx_scan          bigint NOT NULL,
    n_tup_ins         bigint NOT NULL,
    n_tup_upd         bigint NOT NULL,
    n_tup_del         bigint NOT NULL,
    latest_seq_scan   bigint NOT NULL DEFAULT 0,
    latest_idx_scan   bigint NOT NULL DEFAULT 0,
    latest_n_tup_ins  bigint NOT NULL DEFAULT 0,
    latest_n_tup_upd  bigint NOT NULL DEFAULT 0,
    latest_n_tup_del  bigint NOT NULL DEFAULT 0,
    counted_at        timestamptz,
    UNIQUE (session, relid)
);
-- A publication FOR ALL TABLES has this one, too.
ALTER TABLE lockgate.own_work REPLICA IDENTITY FULL;
CREATE UNIQUE INDEX own_work_ended ON lockgate.own_work (relid, purpose) WHERE session IS NULL;
COMMENT ON TABLE lockgate.own_work IS
    'What Lockgate did to the tables that are sampled, all in all; one row for each session and table, and one for all sessions of a purpose that have ended.';
COMMENT ON COLUMN lockgate.own_work.latest_seq_scan IS
    'What of seq_scan the server may not yet have counted, like the other latest ones: that of the latest transaction.';
COMMENT ON COLUMN lockgate.own_work.counted_at IS 'When the latest was written down. NULL: pg_dump is still at it.';

CREATE TABLE lockgate.own_gaps (
    at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    what  text NOT NULL
);
ALTER TABLE lockgate.own_gaps REPLICA IDENTITY FULL;
COMMENT ON TABLE lockgate.own_gaps IS
    'When it turned out that a session of Lockgate had not counted all that it did: it was killed, or older than the first sample.';

-- To be called in a transaction of its own in the same message that ends the work's, before the server can have
-- counted it; whether all was written down. Before PostgreSQL 15 it cannot be told to count at once: whether it has
-- since the last call is told by what this session has done to own_work.
CREATE FUNCTION lockgate.count_own(whose uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    anew boolean := pg_stat_get_xact_tuples_inserted('lockgate.own_work'::regclass)
                  + pg_stat_get_xact_tuples_updated('lockgate.own_work'::regclass) = 0;
BEGIN
    INSERT INTO lockgate.own_work AS w (
        session, purpose, relid, seq_scan, idx_scan, n_tup_ins, n_tup_upd, n_tup_del,
        latest_seq_scan, latest_idx_scan, latest_n_tup_ins, latest_n_tup_upd, latest_n_tup_del, counted_at)
    SELECT whose, s.purpose, u.relid, d.seq_scan, d.idx_scan, d.n_tup_ins, d.n_tup_upd, d.n_tup_del,
           d.seq_scan, d.idx_scan, d.n_tup_ins, d.n_tup_upd, d.n_tup_del, clock_timestamp()
    FROM lockgate.own_sessions s
    CROSS JOIN lockgate.usage_watched u
    CROSS JOIN LATERAL (
        SELECT pg_stat_get_xact_numscans(u.relid) AS seq_scan,
               coalesce((SELECT sum(pg_stat_get_xact_numscans(i.indexrelid)) FROM pg_index i
                         WHERE i.indrelid = u.relid), 0)::bigint AS idx_scan,
               pg_stat_get_xact_tuples_inserted(u.relid) AS n_tup_ins,
               pg_stat_get_xact_tuples_updated(u.relid) AS n_tup_upd,
               pg_stat_get_xact_tuples_deleted(u.relid) AS n_tup_del) d
    WHERE s.id = whose AND d.seq_scan + d.idx_scan + d.n_tup_ins + d.n_tup_upd + d.n_tup_del > 0
    ON CONFLICT (session, relid) DO UPDATE SET
        seq_scan = w.seq_scan + excluded.seq_scan - CASE WHEN anew THEN 0 ELSE w.latest_seq_scan END,
        idx_scan = w.idx_scan + excluded.idx_scan - CASE WHEN anew THEN 0 ELSE w.latest_idx_scan END,
        n_tup_ins = w.n_tup_ins + excluded.n_tup_ins - CASE WHEN anew THEN 0 ELSE w.latest_n_tup_ins END,
        n_tup_upd = w.n_tup_upd + excluded.n_tup_upd - CASE WHEN anew THEN 0 ELSE w.latest_n_tup_upd END,
        n_tup_del = w.n_tup_del + excluded.n_tup_del - CASE WHEN anew THEN 0 ELSE w.latest_n_tup_del END,
        latest_seq_scan = excluded.latest_seq_scan,
        latest_idx_scan = excluded.latest_idx_scan,
        latest_n_tup_ins = excluded.latest_n_tup_ins,
        latest_n_tup_upd = excluded.latest_n_tup_upd,
        latest_n_tup_del = excluded.latest_n_tup_del,
        counted_at = excluded.counted_at;
    IF current_setting('server_version_num')::int >= 150000 THEN
        PERFORM pg_stat_force_next_flush();
    END IF;
    RETURN true;
EXCEPTION WHEN OTHERS THEN  -- nothing that Lockgate does for the application fails because of this
    RETURN false;
END
$$;
