-- What was dropped for good: kept outside the archive, for ever.

CREATE TABLE lockgate.dropped (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan             text NOT NULL,
    phase            text NOT NULL,
    step             text NOT NULL,
    relid            oid NOT NULL,
    from_schema      text NOT NULL,
    name             text NOT NULL,
    to_schema        text NOT NULL,
    row_count        bigint NOT NULL,
    bytes            bigint NOT NULL,
    content          text NOT NULL,
    measured_by      text NOT NULL,
    definition       text NOT NULL,
    dependents       jsonb NOT NULL,
    backups          jsonb NOT NULL,
    database_bytes   bigint NOT NULL,
    purpose          text,
    basis            text,
    erased_rows      bigint NOT NULL,
    archived_at      timestamptz NOT NULL,
    retain_until     timestamptz NOT NULL,
    dropped_at       timestamptz NOT NULL
);
COMMENT ON TABLE lockgate.dropped IS 'Append-only. One row for each table that was dropped, written in the transaction that dropped it.';
COMMENT ON COLUMN lockgate.dropped.definition IS 'SQL that makes the table anew in the archive schema, without its rows.';
COMMENT ON COLUMN lockgate.dropped.dependents IS 'What was dropped before it, in this order: kind, name, the statement, and the definition.';
COMMENT ON COLUMN lockgate.dropped.backups IS 'Proven backups that hold these very rows: id, folder, host, and whether of the archive alone.';
COMMENT ON COLUMN lockgate.dropped.erased_rows IS 'Rows that were erased while it was in the archive, as lockgate.erased has them; row_count is without them.';
COMMENT ON COLUMN lockgate.dropped.database_bytes IS 'Size of the whole database before this table was dropped.';

CREATE TRIGGER dropped_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON lockgate.dropped
    FOR EACH STATEMENT EXECUTE FUNCTION lockgate.refuse_change();
-- ALWAYS: session_replication_role = replica must not switch it off.
ALTER TABLE lockgate.dropped ENABLE ALWAYS TRIGGER dropped_append_only;
