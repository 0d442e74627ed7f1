-- name: tables
SELECT relname FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') ORDER BY relname

-- name: type
SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
WHERE attrelid = %(oid)s::oid AND attname = %(column)s AND attnum > 0 AND NOT attisdropped

-- name: key
SELECT a.attname FROM pg_catalog.pg_constraint c
CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k (number, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
WHERE c.conrelid = %(oid)s::oid AND c.contype = 'p' ORDER BY k.place
