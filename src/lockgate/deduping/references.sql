-- name: references
-- Foreign keys by which rows of a table may be referred to: those that refer to it, to a table that it is a partition of,
-- or to a partition of it. Those of partitions stand in that of the whole.
WITH known AS (
    SELECT %(table)s::oid AS oid
    UNION SELECT a.relid FROM pg_catalog.pg_partition_ancestors(%(table)s::oid::pg_catalog.regclass) AS a
    UNION SELECT t.relid FROM pg_catalog.pg_partition_tree(%(table)s::oid::pg_catalog.regclass) AS t)
SELECT k.conname AS name, k.conrelid::bigint AS child, k.conrelid IN (SELECT oid FROM known) AS to_itself,
       k.conkey::int[] AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS c (number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.number
             ORDER BY c.place) AS referenced
FROM pg_catalog.pg_constraint k
WHERE k.confrelid IN (SELECT oid FROM known) AND k.contype = 'f' AND k.conparentid = 0
ORDER BY k.conrelid, k.conname
