-- All tables in one query. A crash of the server throws all counters away, those of the background writer too: its
-- reset is seen where the database's own is not. Before PostgreSQL 16 the last scans are not there: their names then
-- find those of `absent`.
SELECT found.*, greatest(d.stats_reset, w.stats_reset) AS stats_reset,
       pg_catalog.pg_postmaster_start_time() AS started_at, pg_catalog.clock_timestamp() AS read_at
FROM (SELECT NULL::timestamptz AS last_seq_scan, NULL::timestamptz AS last_idx_scan) AS absent
CROSS JOIN LATERAL (
    SELECT c.oid::bigint AS relid, n.nspname AS schema_name, c.relname AS table_name,
           coalesce(s.seq_scan, 0) AS seq_scan, coalesce(s.idx_scan, 0) AS idx_scan,
           coalesce(s.n_tup_ins, 0) AS n_tup_ins, coalesce(s.n_tup_upd, 0) AS n_tup_upd,
           coalesce(s.n_tup_del, 0) AS n_tup_del, last_seq_scan, last_idx_scan
    FROM unnest(%(oids)s::oid[]) AS asked (oid)
    JOIN pg_catalog.pg_class c ON c.oid = asked.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
) AS found
LEFT JOIN pg_catalog.pg_stat_database d ON d.datname = pg_catalog.current_database()
CROSS JOIN pg_catalog.pg_stat_bgwriter w
ORDER BY found.schema_name, found.table_name
