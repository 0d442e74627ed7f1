-- name: note
INSERT INTO lockgate.retiring (relid, plan, parent, parent_name, bounds)
VALUES (%(relid)s, %(plan)s, %(parent)s, %(parent_name)s, %(bounds)s) ON CONFLICT (relid) DO NOTHING

-- name: leaving
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, i.inhrelid IS NOT NULL AS attached,
       coalesce(i.inhdetachpending, false) AS pending
FROM lockgate.retiring r
JOIN pg_catalog.pg_class c ON c.oid = r.relid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = r.parent
WHERE r.parent = %(parent)s ORDER BY r.begun_at, c.oid

-- name: state
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, i.inhrelid IS NOT NULL AS attached,
       coalesce(i.inhdetachpending, false) AS pending
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = %(parent)s
WHERE c.oid = %(oid)s

-- name: gone
DELETE FROM lockgate.retiring WHERE relid = %(relid)s
