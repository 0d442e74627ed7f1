-- name: tables
-- The tables of these names, as SQL writes them, that are there.
SELECT w.name AS label, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned
FROM unnest(%(names)s::text[]) AS w (name)
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(w.name)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY w.name

-- name: columns
-- The columns of these names, as SQL writes them, in the table of this name.
SELECT %(table)s::text || '.' || pg_catalog.quote_ident(a.attname) AS label, a.attname AS name
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = pg_catalog.to_regclass(%(table)s::text) AND a.attnum > 0 AND NOT a.attisdropped
  AND %(table)s::text || '.' || pg_catalog.quote_ident(a.attname) = ANY (%(names)s::text[])
ORDER BY a.attnum

-- name: holders
-- The columns of an enum of this name, of arrays or of domains of it, in tables that hold rows of their own.
SELECT n.nspname AS schema, c.relname AS name, a.attname AS "column", t.typcategory = 'A' AS is_array,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) || '.'
           || pg_catalog.quote_ident(a.attname) AS label
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_attribute a ON a.atttypid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'f') AND c.relpersistence <> 't'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE pg_catalog.to_regtype(%(name)s) IN (t.oid, t.typbasetype, t.typelem)
ORDER BY 1, 2, 3
