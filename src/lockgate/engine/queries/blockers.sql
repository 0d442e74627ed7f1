-- Sessions that keep process %(pid)s waiting, oldest transaction first, then prepared transactions.
WITH wanted AS (
    SELECT format('%%I.%%I', n.nspname, c.relname) AS relation
    FROM pg_locks l
    JOIN pg_class c ON c.oid = l.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE l.pid = %(pid)s AND NOT l.granted
    LIMIT 1
), blocking AS (
    SELECT DISTINCT pid FROM unnest(pg_blocking_pids(%(pid)s)) AS pid
)
SELECT a.pid, coalesce(a.usename, '') AS "user", coalesce(a.application_name, '') AS application,
       coalesce(a.state, '') AS state, a.xact_start AS since,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS age,
       coalesce(a.query, '') AS query, coalesce(a.backend_type, '') AS kind,
       (SELECT relation FROM wanted) AS relation
FROM blocking JOIN pg_stat_activity a USING (pid)
UNION ALL
SELECT 0, p.owner, '', '', p.prepared, extract(epoch FROM clock_timestamp() - p.prepared)::float8,
       p.gid, 'prepared', (SELECT relation FROM wanted)
FROM pg_prepared_xacts p
WHERE p.database = current_database() AND EXISTS (SELECT FROM blocking WHERE pid = 0)
ORDER BY since
