-- Backups that were made of this database, and whether each was restored to see that it can be.

CREATE TABLE lockgate.backups (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan             text NOT NULL,
    made_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    snapshot_at      timestamptz NOT NULL,
    host             text NOT NULL,
    folder           text NOT NULL,
    chosen           jsonb NOT NULL,
    manifest_sha256  text NOT NULL,
    tables           jsonb NOT NULL,
    proven_at        timestamptz,
    restore_seconds  double precision,
    removed_at       timestamptz,
    CHECK ((proven_at IS NULL) = (restore_seconds IS NULL))
);
COMMENT ON TABLE lockgate.backups IS 'One row for each backup; its files are not in the database.';
COMMENT ON COLUMN lockgate.backups.chosen IS 'The patterns that chose its tables; none: the whole database.';
COMMENT ON COLUMN lockgate.backups.tables IS 'schema.table of each table that is in it, with rows and content hash.';
COMMENT ON COLUMN lockgate.backups.proven_at IS 'When it was restored, and every table compared.';
COMMENT ON COLUMN lockgate.backups.removed_at IS 'When its files were given up; they go right after that.';
