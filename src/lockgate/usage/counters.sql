-- name: of_tables
-- All tables in one query. Before PostgreSQL 16 the last scans are not there: their names then find those of `absent`.
SELECT found.relid, found.schema_name, found.table_name, found.seq_scan, found.idx_scan,
       found.n_tup_ins, found.n_tup_upd, found.n_tup_del, found.last_seq_scan, found.last_idx_scan
FROM (SELECT NULL::timestamptz AS last_seq_scan, NULL::timestamptz AS last_idx_scan) AS absent
CROSS JOIN LATERAL (
    SELECT s.relid::bigint AS relid, s.schemaname AS schema_name, s.relname AS table_name, s.seq_scan,
           coalesce(s.idx_scan, 0) AS idx_scan, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, last_seq_scan, last_idx_scan
    FROM pg_catalog.pg_stat_all_tables s
    JOIN unnest(%(oids)s::oid[]) AS asked (oid) ON asked.oid = s.relid
) AS found
ORDER BY found.schema_name, found.table_name

-- name: of_server
-- A crash of the server throws all counters away, those of the background writer too: its reset is seen where the
-- database's own is not.
SELECT greatest(d.stats_reset, w.stats_reset) AS stats_reset,
       pg_catalog.pg_postmaster_start_time() AS started_at, pg_catalog.clock_timestamp() AS read_at
FROM pg_catalog.pg_stat_bgwriter w
LEFT JOIN pg_catalog.pg_stat_database d ON d.datname = pg_catalog.current_database()
