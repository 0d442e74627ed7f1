-- name: leaves
-- The partitions that hold rows.
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind
FROM pg_catalog.pg_partition_tree(%(table)s::oid::pg_catalog.regclass) t
JOIN pg_catalog.pg_class c ON c.oid = t.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE t.isleaf AND t.relid <> %(table)s
ORDER BY c.oid

-- name: constraint
SELECT k.conname AS constraint, k.convalidated AS validated,
       pg_catalog.pg_get_constraintdef(k.oid) AS definition
FROM pg_catalog.pg_constraint k
WHERE k.conrelid = pg_catalog.to_regclass(%(table)s) AND k.conname = %(name)s

-- name: column
SELECT a.attname AS column, a.attnotnull AS not_null
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = pg_catalog.to_regclass(%(table)s) AND a.attname = %(name)s
  AND a.attnum > 0 AND NOT a.attisdropped

-- name: referenced
SELECT pg_catalog.to_regclass(%(table)s)::text AS referenced
