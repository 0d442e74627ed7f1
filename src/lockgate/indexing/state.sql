-- name: table
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass(%(name)s)

-- name: lacking
-- A new partition gets its part by itself, because the parent's index is there.
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE i.inhparent = %(parent)s
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits a JOIN pg_catalog.pg_index x ON x.indexrelid = a.inhrelid
                  WHERE a.inhparent = %(index)s AND x.indrelid = c.oid AND x.indisvalid)
ORDER BY c.oid

-- name: foreign
WITH RECURSIVE tree AS (
    SELECT %(table)s::oid AS oid
    UNION ALL
    SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
)
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind
FROM tree
JOIN pg_catalog.pg_class c ON c.oid = tree.oid AND c.relkind = 'f'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LIMIT 1

-- name: find
SELECT x.indexrelid::bigint AS oid, n.nspname AS schema, c.relname AS name, x.indrelid::bigint AS table,
       x.indisvalid AND x.indisready AS valid, c.relkind = 'I' AS partitioned, c.relispartition AS attached,
       pg_catalog.pg_get_indexdef(x.indexrelid) AS definition,
       coalesce(pg_catalog.obj_description(x.indexrelid, 'pg_class'), '') AS comment,
       coalesce((SELECT k.conname FROM pg_catalog.pg_constraint k
                 WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x') LIMIT 1), '') AS constraint,
       x.indisreplident OR x.indisclustered AS named_by_table
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s

-- name: size
-- Of an index and of its parts.
WITH RECURSIVE tree AS (
    SELECT pg_catalog.to_regclass(%(name)s)::oid AS oid
    UNION ALL
    SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
)
SELECT coalesce(sum(pg_catalog.pg_relation_size(oid)), 0)::bigint AS bytes FROM tree
