-- Sessions whose transaction is older than %(older_than)s seconds and holds a lock on one of %(relations)s.
SELECT a.pid, coalesce(a.usename, '') AS "user", coalesce(a.application_name, '') AS application,
       coalesce(a.state, '') AS state, a.xact_start AS since,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS age,
       coalesce(a.query, '') AS query, coalesce(a.backend_type, '') AS kind,
       min(format('%%I.%%I', n.nspname, c.relname)) AS relation
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.relation = ANY (SELECT to_regclass(name)::oid FROM unnest(%(relations)s::text[]) AS s (name))
  AND a.pid <> pg_backend_pid()
  AND a.xact_start < clock_timestamp() - make_interval(secs => %(older_than)s)
GROUP BY a.pid, a.usename, a.application_name, a.state, a.xact_start, a.query, a.backend_type
ORDER BY since
