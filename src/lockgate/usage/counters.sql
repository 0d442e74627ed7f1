-- All tables in one query. A crash of the server throws all counters away, those of the background writer too: its
-- reset is seen where the database's own is not. As JSON, for before PostgreSQL 16 the last scans are not there.
SELECT c.oid::bigint AS relid, n.nspname AS schema_name, c.relname AS table_name,
       coalesce(s.seq_scan, 0) AS seq_scan, coalesce(s.idx_scan, 0) AS idx_scan,
       coalesce(s.n_tup_ins, 0) AS n_tup_ins, coalesce(s.n_tup_upd, 0) AS n_tup_upd,
       coalesce(s.n_tup_del, 0) AS n_tup_del,
       (pg_catalog.to_jsonb(s) ->> 'last_seq_scan')::timestamptz AS last_seq_scan,
       (pg_catalog.to_jsonb(s) ->> 'last_idx_scan')::timestamptz AS last_idx_scan,
       greatest(d.stats_reset, w.stats_reset) AS stats_reset,
       pg_catalog.pg_postmaster_start_time() AS started_at, pg_catalog.clock_timestamp() AS read_at
FROM unnest(%(oids)s::oid[]) AS asked (oid)
JOIN pg_catalog.pg_class c ON c.oid = asked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
LEFT JOIN pg_catalog.pg_stat_database d ON d.datname = pg_catalog.current_database()
CROSS JOIN pg_catalog.pg_stat_bgwriter w
ORDER BY n.nspname, c.relname
