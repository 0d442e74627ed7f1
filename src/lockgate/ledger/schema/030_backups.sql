-- Backups that were made of this database, and whether each was restored to see that it can be.

CREATE TABLE lockgate.backups (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan             text NOT NULL,
    kind             text NOT NULL DEFAULT 'files' CHECK (kind IN ('files', 'copy')),
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
    CHECK ((proven_at IS NULL) = (restore_seconds IS NULL) OR kind = 'copy')
);
COMMENT ON TABLE lockgate.backups IS 'One row for each backup; its files are not in the database.';
COMMENT ON COLUMN lockgate.backups.kind IS 'files: made by pg_dump, in a folder. copy: a provider''s snapshot or branch, restored elsewhere; folder is its address without a password.';
COMMENT ON COLUMN lockgate.backups.snapshot_at IS 'Of files the time of their snapshot; of a copy that of the mark that it holds: it is no older.';
COMMENT ON COLUMN lockgate.backups.chosen IS 'The patterns that chose its tables; none: the whole database.';
COMMENT ON COLUMN lockgate.backups.tables IS 'schema.table of each table that is in it, with rows and content hash.';
COMMENT ON COLUMN lockgate.backups.proven_at IS 'When it was restored, and every table compared.';
COMMENT ON COLUMN lockgate.backups.removed_at IS 'When its files were given up; they go right after that.';

CREATE TABLE lockgate.marks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token      uuid NOT NULL UNIQUE,
    plan       text NOT NULL,
    at         timestamptz NOT NULL,
    chosen     jsonb NOT NULL,
    schema     text NOT NULL,
    tables     jsonb NOT NULL
);
COMMENT ON TABLE lockgate.marks IS 'A copy of the database that holds a row of this table was taken after the row was written.';
COMMENT ON COLUMN lockgate.marks.schema IS 'The digest of the schema before the row was written; lockgate.schemas has what it stands for.';
COMMENT ON COLUMN lockgate.marks.tables IS 'schema.table of each table that was measured before the row was written, with rows, way and hash, and its id in lockgate.archived.';
