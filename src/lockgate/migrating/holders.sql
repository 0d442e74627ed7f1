SELECT a.pid, coalesce(a.usename, '')::text, coalesce(a.application_name, ''), coalesce(a.state, ''), a.xact_start,
       extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8, coalesce(a.query, ''),
       coalesce(a.backend_type, ''), NULL::text, ''
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  AND l.classid::bigint = (%(key)s::bigint >> 32) & 4294967295 AND l.objid::bigint = %(key)s::bigint & 4294967295
