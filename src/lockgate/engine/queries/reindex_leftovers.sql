-- INVALID copies that an interrupted REINDEX CONCURRENTLY left: of the table or index %(relation)s and its TOAST
-- table, of schema %(schema)s, or of the whole database.
WITH named AS (
    SELECT coalesce(i.indrelid, c.oid) AS oid
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.oid = to_regclass(%(relation)s)
), tables AS (
    SELECT oid FROM named
    UNION
    SELECT p.relid FROM named, pg_partition_tree(named.oid) p
), every AS (
    SELECT c.oid, c.reltoastrelid, n.nspname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE CASE
        WHEN %(relation)s::text IS NOT NULL THEN c.oid IN (SELECT oid FROM tables)
        WHEN %(schema)s::text IS NOT NULL THEN n.nspname = (parse_ident(%(schema)s))[1]
        ELSE true END
)
SELECT n.nspname, c.relname
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
  AND c.relname ~ '_cc(new|old)[0-9]*$'
  AND i.indrelid IN (SELECT oid FROM every UNION SELECT reltoastrelid FROM every)
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
ORDER BY 1, 2
