-- The oldest transaction of the whole server that has an id, if it is older than %(older_than)s seconds: until it ends,
-- no snapshot passes it. Lockgate's own ones end by themselves.
WITH oldest AS (SELECT pg_snapshot_xmin(pg_current_snapshot())::xid AS id)
SELECT a.pid, coalesce(a.usename, '') AS "user", coalesce(a.application_name, '') AS application,
       coalesce(a.state, '') AS state, a.xact_start AS since,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS age,
       coalesce(a.query, '') AS query, coalesce(a.backend_type, '') AS kind, NULL AS relation,
       coalesce(a.datname, '') AS database
FROM pg_stat_activity a JOIN oldest ON a.backend_xid = oldest.id
WHERE a.pid <> pg_backend_pid() AND coalesce(a.application_name, '') NOT LIKE 'lockgate:%%'
  AND coalesce(a.xact_start < clock_timestamp() - make_interval(secs => %(older_than)s), true)
UNION ALL
SELECT 0, p.owner, '', '', p.prepared, extract(epoch FROM clock_timestamp() - p.prepared)::float8,
       p.gid, 'prepared', NULL, p.database
FROM pg_prepared_xacts p JOIN oldest ON p.transaction = oldest.id
