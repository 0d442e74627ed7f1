-- Migrations of another tool that were run here: how far each is, and the text that ran.

CREATE TABLE lockgate.migrations (
    history      text NOT NULL,
    version      text NOT NULL,
    tool         text NOT NULL,
    name         text NOT NULL,
    direction    text NOT NULL CHECK (direction IN ('up', 'down')),
    state        text NOT NULL CHECK (state IN ('running', 'done')),
    script       text,
    digests      text[] NOT NULL DEFAULT '{}',
    runner_pid   int,
    runner_since text,
    plan         text NOT NULL,
    phase        text,
    step         text,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    PRIMARY KEY (history, version)
);
COMMENT ON TABLE lockgate.migrations IS 'The latest run of each migration, up or down. The other tool''s own table is its history; this one knows what of a file is done.';
COMMENT ON COLUMN lockgate.migrations.history IS 'The other tool''s table, schema.table, quoted where needed.';
COMMENT ON COLUMN lockgate.migrations.script IS 'The text that ran; NULL for what the tool''s own program runs.';
COMMENT ON COLUMN lockgate.migrations.digests IS 'SHA-256 of each part of the text that is done, in their order; a part commits together with its digest, or stands alone.';
COMMENT ON COLUMN lockgate.migrations.runner_pid IS 'The process that is in the middle of a statement which cannot be in a transaction.';
