-- Those of the transactions (%(pids)s, %(sinces)s, %(queries)s) that go on.
SELECT s.pid, s.since
FROM unnest(%(pids)s::int[], %(sinces)s::timestamptz[], %(queries)s::text[]) AS s (pid, since, query)
WHERE EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = s.pid AND a.xact_start = s.since)
   OR (s.pid = 0 AND EXISTS (SELECT FROM pg_prepared_xacts p WHERE p.gid = s.query))
