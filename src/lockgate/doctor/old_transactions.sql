-- Transactions that have been open for longer than a strong lock can wait for.
SELECT a.pid, coalesce(a.usename, '?')::text AS role, coalesce(a.state, '?') AS state,
       extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %(seconds)s)
  AND a.application_name NOT LIKE 'lockgate:%%'
ORDER BY a.xact_start
