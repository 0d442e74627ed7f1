-- The ledger: what was decided, done and measured, and what a killed run resumes from.
-- Applied inside one transaction that has already made schema lockgate.

CREATE TABLE lockgate.meta (
    number      integer PRIMARY KEY,
    name        text NOT NULL,
    sha256      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by  text NOT NULL
);
COMMENT ON TABLE lockgate.meta IS 'One row for each schema file of Lockgate that was applied here; the version is the highest number.';

CREATE TABLE lockgate.runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan        text NOT NULL,
    digest      text NOT NULL,
    command     text NOT NULL,
    host        text NOT NULL,
    pid         integer NOT NULL,
    version     text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at    timestamptz,
    outcome     text,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
COMMENT ON TABLE lockgate.runs IS 'One row for each run of a command; a run that was killed has no end.';
CREATE INDEX runs_by_plan ON lockgate.runs (plan, id);

CREATE TABLE lockgate.chain (
    seq         bigint PRIMARY KEY,
    at          timestamptz NOT NULL,
    run_id      bigint REFERENCES lockgate.runs (id),
    kind        text NOT NULL CHECK (kind IN ('run', 'phase', 'step', 'gate', 'check', 'evidence',
                                              'approval', 'event', 'control', 'undo', 'rehearsal')),
    plan        text NOT NULL,
    phase       text,
    step        text,
    payload     jsonb NOT NULL,
    prev        bytea NOT NULL,
    hash        bytea NOT NULL
);
COMMENT ON TABLE lockgate.chain IS 'Append-only. hash covers all other columns, prev among them, so each row vouches for all before it.';
CREATE INDEX chain_by_plan ON lockgate.chain (plan, seq);

CREATE TABLE lockgate.chain_head (
    singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    seq         bigint NOT NULL,
    hash        bytea NOT NULL
);
COMMENT ON TABLE lockgate.chain_head IS 'Number and hash of the last row of the chain; its row lock puts those who append in order.';
INSERT INTO lockgate.chain_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION lockgate.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the ledger''s chain is append-only',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE FUNCTION lockgate.only_forward() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.seq <> OLD.seq + 1 THEN
        RAISE EXCEPTION 'the head of the ledger''s chain goes from % to % only, not to %',
            OLD.seq, OLD.seq + 1, NEW.seq USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER chain_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lockgate.chain
    FOR EACH STATEMENT EXECUTE FUNCTION lockgate.refuse_change();
CREATE TRIGGER chain_head_stays BEFORE INSERT OR DELETE OR TRUNCATE ON lockgate.chain_head
    FOR EACH STATEMENT EXECUTE FUNCTION lockgate.refuse_change();
CREATE TRIGGER chain_head_forward BEFORE UPDATE ON lockgate.chain_head
    FOR EACH ROW EXECUTE FUNCTION lockgate.only_forward();
-- ALWAYS: session_replication_role = replica must not switch them off.
ALTER TABLE lockgate.chain ENABLE ALWAYS TRIGGER chain_append_only;
ALTER TABLE lockgate.chain_head ENABLE ALWAYS TRIGGER chain_head_stays;
ALTER TABLE lockgate.chain_head ENABLE ALWAYS TRIGGER chain_head_forward;

CREATE TABLE lockgate.phases (
    plan        text NOT NULL,
    phase       text NOT NULL,
    state       text NOT NULL CHECK (state IN ('pending', 'running', 'checking', 'done', 'failed',
                                               'undoing', 'undone')),
    started_at  timestamptz,
    ended_at    timestamptz,
    PRIMARY KEY (plan, phase)
);

CREATE TABLE lockgate.steps (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan        text NOT NULL,
    phase       text NOT NULL,
    step        text NOT NULL,
    kind        text NOT NULL,
    state       text NOT NULL DEFAULT 'pending'
                CHECK (state IN ('pending', 'running', 'done', 'failed', 'undone')),
    position    integer NOT NULL DEFAULT 0 CHECK (position >= 0),
    detail      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    started_at  timestamptz,
    ended_at    timestamptz,
    UNIQUE (plan, phase, step)
);
COMMENT ON COLUMN lockgate.steps.position IS 'Statements that a step outside a transaction has behind it.';

CREATE TABLE lockgate.chunks (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    step_id       bigint NOT NULL REFERENCES lockgate.steps (id),
    leaf          oid NOT NULL,
    lo            bigint NOT NULL,
    hi            bigint NOT NULL,
    state         text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done')),
    rows_read     bigint NOT NULL DEFAULT 0,
    rows_written  bigint NOT NULL DEFAULT 0,
    worker        text,
    attempts      integer NOT NULL DEFAULT 0,
    done_at       timestamptz,
    seconds       double precision,
    CHECK (lo < hi),
    -- A plan of chunks that is made a second time after a kill must not stand beside the first.
    UNIQUE (step_id, leaf, lo)
);
COMMENT ON TABLE lockgate.chunks IS 'Ranges [lo, hi) of block numbers of one relation (leaf), each done in one transaction.';
CREATE INDEX chunks_pending ON lockgate.chunks (step_id, id) WHERE state = 'pending';

CREATE TABLE lockgate.lease (
    singleton     boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- UNIQUE makes epoch a key column: changing it waits for FOR KEY SHARE locks of writing transactions,
    -- while heartbeats, which change no key column, pass them.
    epoch         bigint NOT NULL UNIQUE,
    holder        text,
    host          text,
    pid           integer,
    acquired_at   timestamptz,
    heartbeat_at  timestamptz,
    expires_at    timestamptz
);
INSERT INTO lockgate.lease (epoch) VALUES (0);

CREATE TABLE lockgate.control (
    plan        text PRIMARY KEY,
    paused      boolean NOT NULL DEFAULT false,
    reason      text,
    workers     integer CHECK (workers > 0),
    chunk_rows  integer CHECK (chunk_rows > 0),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_by  text NOT NULL
);
