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
    sampled_at     timestamptz NOT NULL
);
CREATE INDEX usage_samples_of_table ON lockgate.usage_samples (plan, node, schema_name, table_name, sampled_at);
COMMENT ON TABLE lockgate.usage_samples IS
    'The server''s counters of a table at a time, for gates that ask whether it is still used; by `lockgate sample`.';
COMMENT ON COLUMN lockgate.usage_samples.node IS 'Which server counted: primary. Each replica counts for itself.';
COMMENT ON COLUMN lockgate.usage_samples.last_seq_scan IS 'From PostgreSQL 16 on, like last_idx_scan.';
COMMENT ON COLUMN lockgate.usage_samples.stats_reset IS
    'When the database''s counters were last set to zero, by hand or by a crash of the server.';
COMMENT ON COLUMN lockgate.usage_samples.started_at IS 'When the server was started.';
