-- Partitions on their way into the archive: what is no partition any more, the catalog does not tell from other tables.

CREATE TABLE lockgate.retiring (
    relid       oid PRIMARY KEY,
    plan        text NOT NULL,
    parent      oid NOT NULL,
    parent_name text NOT NULL,
    bounds      text NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE lockgate.retiring IS 'Written before a partition is detached, and removed when it is in the archive.';
