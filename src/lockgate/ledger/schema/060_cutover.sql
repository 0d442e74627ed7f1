-- Cutovers: which targets the application has taken over, which tables were closed, and by what the way back is kept open.

ALTER TABLE lockgate.sync_targets DROP CONSTRAINT sync_targets_state_check;
ALTER TABLE lockgate.sync_targets ADD CONSTRAINT sync_targets_state_check
    CHECK (state IN ('backfill', 'live', 'off', 'unsynced', 'cut_over', 'waiting', 'ready', 'closed'));
COMMENT ON COLUMN lockgate.sync_targets.state IS
    'Only backfill and live are applied. cut_over: the application owns it. Of a way back: waiting, its logs are not needed; ready, they are; closed, it was.';

CREATE TABLE lockgate.cutovers (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan  text NOT NULL,
    phase text NOT NULL,
    step  text NOT NULL,
    state text NOT NULL CHECK (state IN ('preparing', 'over', 'taken_back')),
    at    timestamptz,
    UNIQUE (plan, step)
);
COMMENT ON COLUMN lockgate.cutovers.state IS
    'over: the new model is the one that is written. taken_back: the old one is again; what is left is cleared away.';

CREATE TABLE lockgate.cutover_targets (
    target_id  bigint PRIMARY KEY REFERENCES lockgate.sync_targets ON DELETE CASCADE,
    cutover_id bigint NOT NULL REFERENCES lockgate.cutovers ON DELETE CASCADE,
    back       boolean NOT NULL
);
COMMENT ON COLUMN lockgate.cutover_targets.back IS 'Whether it keeps a table of the old model in step, or is one that was cut over.';

CREATE TABLE lockgate.closed_tables (
    relid      oid PRIMARY KEY,
    cutover_id bigint NOT NULL REFERENCES lockgate.cutovers ON DELETE CASCADE,
    label      text NOT NULL
);

-- Rows of these are removed, and without a key the server does not know how to tell that to those who follow a
-- publication FOR ALL TABLES: it refuses.
ALTER TABLE lockgate.quarantine REPLICA IDENTITY FULL;
DO $$
DECLARE
    target bigint;
BEGIN
    FOR target IN SELECT t.id FROM lockgate.sync_targets t LOOP
        EXECUTE format('ALTER TABLE IF EXISTS lockgate.recheck_%s REPLICA IDENTITY FULL', target);
    END LOOP;
END $$;
