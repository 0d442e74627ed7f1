-- name: parent
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner, p.partstrat::text AS strategy, p.partnatts::int AS columns,
       a.attname AS column, pg_catalog.format_type(a.atttypid, NULL) AS type
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0] AND a.attnum > 0
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')

-- name: parts
-- Bounds are written as the pinned settings of the session have it; what the calendar does not know is at its ends.
SELECT b.oid, b.schema, b.name, b.kind, b.pending, b.bound = 'DEFAULT' AS is_default,
       CASE WHEN b.bound <> 'DEFAULT' THEN greatest(coalesce(
           (pg_catalog.regexp_match(b.bound, 'FROM \(''([^'']*)''\)'))[1]::timestamp, '-infinity'), '0001-01-01') END AS lower,
       CASE WHEN b.bound <> 'DEFAULT' THEN least(coalesce(
           (pg_catalog.regexp_match(b.bound, 'TO \(''([^'']*)''\)'))[1]::timestamp, 'infinity'), '9999-01-01') END AS upper
FROM (SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
             i.inhdetachpending AS pending, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
      FROM pg_catalog.pg_inherits i
      JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE i.inhparent = %(oid)s) AS b
ORDER BY lower, b.name
