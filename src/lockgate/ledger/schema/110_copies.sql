-- Copies of another database's tables: which rows of ours are theirs still, and what the source was when both agreed.

CREATE TABLE lockgate.copies (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan      text NOT NULL,
    name      text NOT NULL,
    begun     xid8 NOT NULL DEFAULT pg_snapshot_xmin(pg_current_snapshot()),
    removing  boolean NOT NULL DEFAULT false,
    UNIQUE (plan, name)
);
COMMENT ON COLUMN lockgate.copies.begun IS 'Rows of the tables that older transactions wrote were there before.';
COMMENT ON COLUMN lockgate.copies.removing IS
    'A rollback has begun to remove rows: from here on what is absent here was not deleted by the application.';

CREATE TABLE lockgate.copied_tables (
    copy_id   bigint NOT NULL REFERENCES lockgate.copies ON DELETE CASCADE,
    relid     oid NOT NULL,
    label     text NOT NULL,
    own_rows  bigint NOT NULL DEFAULT 0,
    source    text,
    left_as   text,
    PRIMARY KEY (copy_id, relid)
);
COMMENT ON COLUMN lockgate.copied_tables.own_rows IS 'Rows that the copy had written and nobody else since, when last compared.';
COMMENT ON COLUMN lockgate.copied_tables.source IS 'Count and hash of the source when both were last found equal.';
COMMENT ON COLUMN lockgate.copied_tables.left_as IS 'Count and hash that a rollback was about to leave in the source.';

-- A row carries the transaction that wrote it. Whoever changes a row puts another one there.
CREATE TABLE lockgate.copy_writes (
    copy_id   bigint NOT NULL REFERENCES lockgate.copies ON DELETE CASCADE,
    relid     oid NOT NULL,
    xid       xid8 NOT NULL,
    PRIMARY KEY (copy_id, relid, xid)
);
COMMENT ON TABLE lockgate.copy_writes IS 'The transactions in which a copy wrote a table.';
