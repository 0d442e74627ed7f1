-- name: may_count
-- No right is asked for that a role has not: who may not write there is not counted. A standby is not written to.
-- It is asked at the beginning of every session: without a join, it takes a tenth of the time.
SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN false
            WHEN pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('lockgate'), 'USAGE') THEN
                coalesce(pg_catalog.has_table_privilege(pg_catalog.to_regclass('lockgate.home'), 'SELECT')
                     AND pg_catalog.has_table_privilege(pg_catalog.to_regclass('lockgate.usage_watched'), 'SELECT')
                     AND pg_catalog.has_table_privilege(pg_catalog.to_regclass('lockgate.own_sessions'), 'INSERT')
                     AND pg_catalog.has_table_privilege(pg_catalog.to_regclass('lockgate.own_work'), 'INSERT')
                     AND pg_catalog.has_table_privilege(pg_catalog.to_regclass('lockgate.own_work'), 'UPDATE'), false)
            ELSE false END

-- name: watching
-- Nothing is written to a ledger that was copied from another database: a restored backup is to be what it was.
SELECT EXISTS (SELECT FROM lockgate.usage_watched)
       AND EXISTS (SELECT FROM lockgate.home h WHERE h.relation = h.tableoid AND h.transaction = h.xmin)

-- name: begin
BEGIN READ WRITE;
INSERT INTO lockgate.own_sessions (id, purpose, pid, backend_start)
SELECT {session}, {purpose}, a.pid, a.backend_start
FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid();
INSERT INTO lockgate.own_gaps (what) SELECT {purpose} || ', begun before the first sample' WHERE {late};
-- A worker of a parallel query counts for itself, where this session does not see it.
SELECT pg_catalog.set_config('max_parallel_workers_per_gather', '0', false),
       pg_catalog.set_config('max_parallel_maintenance_workers', '0', false);
COMMIT

-- name: end
{verb}; BEGIN READ WRITE; SELECT lockgate.count_own({session}); COMMIT

-- name: count
SELECT lockgate.count_own({session})

-- name: lose
BEGIN READ WRITE; UPDATE lockgate.own_sessions SET lost = true WHERE id = {session}; COMMIT

-- name: close
UPDATE lockgate.own_sessions SET closed_at = pg_catalog.clock_timestamp() WHERE id = {session} AND NOT lost

-- name: there
SELECT pg_catalog.to_regclass('lockgate.own_work') IS NOT NULL

-- name: counted
-- What the server has counted by now. It counts before it says that a session has nothing more to do.
SELECT w.relid::bigint AS relid, '' AS purpose,
       sum(w.seq_scan - CASE WHEN told.counted THEN 0 ELSE w.latest_seq_scan END)::bigint AS seq_scan,
       sum(w.idx_scan - CASE WHEN told.counted THEN 0 ELSE w.latest_idx_scan END)::bigint AS idx_scan,
       sum(w.n_tup_ins - CASE WHEN told.counted THEN 0 ELSE w.latest_n_tup_ins END)::bigint AS n_tup_ins,
       sum(w.n_tup_upd - CASE WHEN told.counted THEN 0 ELSE w.latest_n_tup_upd END)::bigint AS n_tup_upd,
       sum(w.n_tup_del - CASE WHEN told.counted THEN 0 ELSE w.latest_n_tup_del END)::bigint AS n_tup_del
FROM lockgate.own_work w
LEFT JOIN lockgate.own_sessions s ON s.id = w.session
LEFT JOIN pg_catalog.pg_stat_activity a
    ON a.pid = s.pid AND coalesce(a.backend_start, s.backend_start) = s.backend_start
CROSS JOIN LATERAL (
    SELECT w.session IS NULL OR w.counted_at IS NOT NULL AND (a.pid IS NULL OR coalesce(
        a.state_change > w.counted_at + CASE
            WHEN pg_catalog.current_setting('server_version_num')::int < 150000 THEN interval '1 s'
            ELSE interval '0' END, false)) AS counted) told
GROUP BY w.relid

-- name: all
SELECT w.relid::bigint AS relid, w.purpose, sum(w.seq_scan)::bigint AS seq_scan, sum(w.idx_scan)::bigint AS idx_scan,
       sum(w.n_tup_ins)::bigint AS n_tup_ins, sum(w.n_tup_upd)::bigint AS n_tup_upd,
       sum(w.n_tup_del)::bigint AS n_tup_del
FROM lockgate.own_work w
GROUP BY w.relid, w.purpose
ORDER BY w.purpose

-- name: gaps
-- Since the last sample of the plan: what was known to be missing, sessions that ended without a word or could not
-- count, and those that are there and do not count.
WITH since AS (
    SELECT coalesce(max(read_at), '-infinity') AS at FROM lockgate.usage_samples WHERE plan = %(plan)s AND node = 'primary'
), there AS MATERIALIZED (
    SELECT * FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database()
)
SELECT g.what FROM lockgate.own_gaps g, since WHERE g.at >= since.at
UNION
SELECT s.purpose || ', ' || CASE WHEN s.lost THEN 'not counted' ELSE 'killed' END
FROM lockgate.own_sessions s
WHERE s.closed_at IS NULL AND (s.lost OR NOT EXISTS (
    SELECT FROM there a WHERE a.pid = s.pid AND coalesce(a.backend_start, s.backend_start) = s.backend_start))
UNION
SELECT pg_catalog.substr(a.application_name, 10) || ', not counted'
FROM there a
WHERE a.application_name LIKE 'lockgate:%%' AND a.pid <> pg_catalog.pg_backend_pid() AND NOT EXISTS (
    SELECT FROM lockgate.own_sessions s
    WHERE s.pid = a.pid AND s.backend_start = coalesce(a.backend_start, s.backend_start)
    OR a.application_name = 'lockgate:dump:' || s.id)
ORDER BY 1

-- name: watch
INSERT INTO lockgate.usage_watched (relid) SELECT unnest(%(oids)s::oid[]) ON CONFLICT DO NOTHING

-- name: forget
DELETE FROM lockgate.usage_watched u WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = u.relid)

-- name: note_gaps
WITH ended AS (
    DELETE FROM lockgate.own_sessions s
    WHERE s.closed_at IS NULL AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_stat_activity a
        WHERE a.pid = s.pid AND coalesce(a.backend_start, s.backend_start) = s.backend_start)
    RETURNING s.id, s.purpose
), left_open AS (
    -- What pg_dump was to do and did not say that it did.
    DELETE FROM lockgate.own_work w USING ended WHERE w.session = ended.id AND w.counted_at IS NULL
)
INSERT INTO lockgate.own_gaps (what) SELECT purpose || ', killed' FROM ended

-- name: fold
WITH closed AS (
    DELETE FROM lockgate.own_sessions s
    WHERE s.closed_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_stat_activity a
        WHERE a.pid = s.pid AND coalesce(a.backend_start, s.backend_start) = s.backend_start)
    RETURNING s.id
), ended AS (
    DELETE FROM lockgate.own_work w
    WHERE w.session IS NOT NULL AND (
        EXISTS (SELECT FROM closed WHERE closed.id = w.session)
        OR NOT EXISTS (SELECT FROM lockgate.own_sessions s WHERE s.id = w.session))
    RETURNING *
)
INSERT INTO lockgate.own_work AS w (purpose, relid, seq_scan, idx_scan, n_tup_ins, n_tup_upd, n_tup_del)
SELECT purpose, relid, sum(seq_scan), sum(idx_scan), sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del)
FROM ended GROUP BY purpose, relid
ON CONFLICT (relid, purpose) WHERE session IS NULL DO UPDATE SET
    seq_scan = w.seq_scan + excluded.seq_scan,
    idx_scan = w.idx_scan + excluded.idx_scan,
    n_tup_ins = w.n_tup_ins + excluded.n_tup_ins,
    n_tup_upd = w.n_tup_upd + excluded.n_tup_upd,
    n_tup_del = w.n_tup_del + excluded.n_tup_del

-- name: expect
-- pg_dump reads each table that holds rows once, by one COPY: one sequential scan of it, of each partition by itself.
WITH RECURSIVE dumped AS (
    SELECT unnest(%(oids)s::oid[]) AS oid
    UNION
    SELECT i.inhrelid FROM dumped JOIN pg_catalog.pg_inherits i ON i.inhparent = dumped.oid
    JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
)
INSERT INTO lockgate.own_work (session, purpose, relid, seq_scan, idx_scan, n_tup_ins, n_tup_upd, n_tup_del,
                               latest_seq_scan)
SELECT %(session)s, 'pg_dump', u.relid, 1, 0, 0, 0, 0, 1
FROM lockgate.usage_watched u
JOIN dumped d ON d.oid = u.relid
JOIN pg_catalog.pg_class c ON c.oid = u.relid AND c.relkind = 'r'

-- name: at_work
SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.application_name = %(name)s)

-- name: happened
UPDATE lockgate.own_work SET latest_seq_scan = 0, counted_at = pg_catalog.clock_timestamp() WHERE session = %(session)s

-- name: failed
DELETE FROM lockgate.own_work WHERE session = %(session)s
