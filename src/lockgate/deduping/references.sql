-- name: references
-- Foreign keys that refer to a table; those of partitions stand in that of the whole.
SELECT k.conname AS name, k.conrelid::bigint AS child, k.confrelid = k.conrelid AS to_itself,
       k.conkey::int[] AS columns, k.confkey::int[] AS referenced
FROM pg_catalog.pg_constraint k
WHERE k.confrelid = %(table)s AND k.contype = 'f' AND k.conparentid = 0
ORDER BY k.conrelid, k.conname
