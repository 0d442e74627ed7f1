-- What a discovery asks of the server's own tables besides what lockgate.safety reads: sizes, counters, grants.

-- name: tables
-- A table that somebody holds ACCESS EXCLUSIVE is not measured: that would wait.
WITH held AS (
    SELECT relation FROM pg_catalog.pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
), described AS (
    SELECT DISTINCT schemaname, tablename FROM pg_catalog.pg_stats
)
SELECT c.oid::bigint AS oid, h.relation IS NOT NULL AS held,
       CASE WHEN h.relation IS NULL THEN pg_catalog.pg_relation_size(c.oid) END AS heap,
       CASE WHEN h.relation IS NULL THEN pg_catalog.pg_indexes_size(c.oid) END AS indexes,
       CASE WHEN h.relation IS NULL AND c.reltoastrelid <> 0
            THEN pg_catalog.pg_relation_size(c.reltoastrelid) ELSE 0 END AS toast,
       coalesce((SELECT option_value::int FROM pg_catalog.pg_options_to_table(c.reloptions)
                 WHERE option_name = 'fillfactor'), 100) AS fillfactor,
       coalesce(greatest(s.last_analyze, s.last_autoanalyze)::text, '') AS analyzed, d.tablename IS NOT NULL AS described,
       coalesce(s.n_mod_since_analyze, 0) AS modified, coalesce(s.n_dead_tup, 0) AS dead,
       coalesce(s.n_tup_upd, 0) + coalesce(s.n_tup_del, 0) AS updated,
       -- To build an index reads the table once, too.
       greatest(coalesce(s.seq_scan, 0) - (SELECT count(*) FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid), 0)
       + coalesce(s.idx_scan, 0) AS reads,
       coalesce(s.n_tup_ins, 0) + coalesce(s.n_tup_upd, 0) + coalesce(s.n_tup_del, 0) AS writes
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN held h ON h.relation = c.oid
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
LEFT JOIN described d ON d.schemaname = n.nspname AND d.tablename = c.relname
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')

-- name: members
-- What extensions brought, which is theirs to mend.
SELECT objid::bigint AS oid FROM pg_catalog.pg_depend
WHERE deptype = 'e' AND classid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)

-- name: index_use
SELECT indexrelid::bigint AS oid, idx_scan AS scans FROM pg_catalog.pg_stat_all_indexes

-- name: builds
SELECT index_relid::bigint AS oid FROM pg_catalog.pg_stat_progress_create_index

-- name: since
-- Since when the counters count: they were never set to zero if stats_reset is empty, but may have been lost in a crash.
SELECT coalesce(stats_reset, pg_catalog.pg_postmaster_start_time())::text AS since,
       extract(epoch FROM pg_catalog.now() - coalesce(stats_reset, pg_catalog.pg_postmaster_start_time()))::float8 AS seconds
FROM pg_catalog.pg_stat_database WHERE datname = pg_catalog.current_database()

-- name: sequences
SELECT s.seqrelid::bigint AS oid, n.nspname AS schema, c.relname AS name, s.seqmax AS largest, s.seqmin AS smallest,
       s.seqincrement AS step, s.seqcycle AS cycles, d.refobjid::bigint AS owner, d.refobjsubid AS number,
       CASE WHEN pg_catalog.has_sequence_privilege(s.seqrelid, 'USAGE, SELECT')
            THEN pg_catalog.pg_sequence_last_value(s.seqrelid) END AS last,
       pg_catalog.has_sequence_privilege(s.seqrelid, 'USAGE, SELECT') AS readable
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid AND c.relpersistence <> 't'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = s.seqrelid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')
ORDER BY n.nspname, c.relname

-- name: public_writes
SELECT c.oid::bigint AS oid, pg_catalog.array_agg(a.privilege_type ORDER BY a.privilege_type)::text[] AS privileges
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND a.grantee = 0
  AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')
GROUP BY c.oid

-- name: public_creates
SELECT n.nspname AS schema
FROM pg_catalog.pg_namespace n
CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a
WHERE a.grantee = 0 AND a.privilege_type = 'CREATE' AND n.nspname !~ '^pg_'
  AND n.nspname NOT IN ('information_schema', 'lockgate')
ORDER BY n.nspname

-- name: definers
-- A body that the server has parsed (BEGIN ATOMIC) calls what it called when it was made.
SELECT p.oid::bigint AS oid, p.prokind::text AS kind,
       pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS name
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal')
WHERE p.prosecdef AND p.prosqlbody IS NULL AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')
  AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) AS c (setting) WHERE c.setting ~ '^search_path=')
ORDER BY 3

-- name: pgstattuple
SELECT n.nspname AS schema
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pgstattuple'
  AND pg_catalog.has_function_privilege(pg_catalog.format('%I.pgstattuple(regclass)', n.nspname), 'EXECUTE')

-- name: storage
-- Which columns may be kept outside of the row.
SELECT a.attname AS name, a.attlen = -1 AND a.attstorage <> 'p' AS outside
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %(oid)s::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum

-- name: block
SELECT pg_catalog.current_setting('block_size')::int AS size

-- name: comments
SELECT c.oid::bigint AS oid, a.attnum::int AS number, d.description AS said
FROM pg_catalog.pg_description d
JOIN pg_catalog.pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND NOT a.attisdropped
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')
ORDER BY 1, 2
