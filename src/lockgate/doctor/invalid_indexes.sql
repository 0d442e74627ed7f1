-- Indexes that a failed concurrent build left behind: they cost writes and serve nothing.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS index, i.indrelid::regclass::text AS of_table
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND c.relkind = 'i'
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
ORDER BY 1
