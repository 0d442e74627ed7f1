-- The index %(name)s (quoted) in the schema of table %(relation)s: whether it is on that table, whether it is
-- valid, and who is building it now.
SELECT n.nspname AS schema, c.relname AS name, i.indrelid::regclass::text AS owner,
       i.indrelid = to_regclass(%(relation)s) AS here, i.indisvalid AND i.indisready AS valid,
       (SELECT pid FROM pg_stat_progress_create_index p
        WHERE p.index_relid = c.oid AND p.datname = current_database() AND p.pid <> pg_backend_pid()
        LIMIT 1) AS builder
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relname = (parse_ident(%(name)s))[array_upper(parse_ident(%(name)s), 1)]
  AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(%(relation)s))
