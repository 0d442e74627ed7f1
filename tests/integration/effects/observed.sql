-- name: relations
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
       pg_catalog.pg_relation_filenode(c.oid)::bigint AS file, i.indrelid::bigint AS of_table
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind <> 'c'

-- name: held
SELECT l.relation::bigint AS oid, l.mode
  FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
 WHERE l.pid = %s AND l.locktype = 'relation'

-- name: waits
SELECT count(*) FROM pg_catalog.pg_locks WHERE pid = %s AND NOT granted

-- name: files
SELECT n.nspname AS schema, c.relname AS name, pg_catalog.pg_relation_filenode(c.oid)::bigint AS file,
       pg_catalog.pg_relation_size(c.oid) AS size
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'm', 'i')


-- name: scans_within
SELECT oid::bigint FROM pg_catalog.unnest(%s::oid[]) AS oid WHERE pg_catalog.pg_stat_get_xact_numscans(oid) > 0

-- name: scans
SELECT oid::bigint, pg_catalog.pg_stat_get_numscans(oid) AS scans FROM pg_catalog.unnest(%s::oid[]) AS oid
