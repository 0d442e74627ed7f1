-- Looking at what a step of the rehearsal does, in the copy.

-- name: held
-- In the transaction that asks, at its end: whatever it has locked it still holds.
SELECT l.relation::bigint, l.mode, extract(epoch FROM clock_timestamp() - transaction_timestamp())::float8
FROM pg_catalog.pg_locks l
WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND l.relation >= 16384

-- name: sampled
-- Of everyone else in this database but for the traffic, at this moment.
SELECT l.relation::bigint, l.mode, coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'relation' AND l.granted AND l.relation >= 16384 AND a.backend_type = 'client backend'
  AND l.pid <> pg_catalog.pg_backend_pid() AND a.application_name <> %(traffic)s
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())

-- name: running
SELECT phase, step, kind FROM lockgate.steps WHERE plan = %(plan)s AND state = 'running' ORDER BY id

-- name: files
-- Each relation of the application with the file that it lies in; partitioned ones have none.
SELECT c.oid::bigint, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), c.relkind::text,
       coalesce(pg_catalog.pg_relation_filenode(c.oid)::bigint, 0), coalesce(i.indrelid::bigint, 0)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'i', 'I') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')
