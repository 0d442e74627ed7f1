-- What a rehearsal asks of the source: its catalog and statistics, and never a row of its tables.

-- name: extensions
SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1

-- name: roles
SELECT DISTINCT r.rolname
FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
WHERE d.refclassid = 'pg_authid'::regclass AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND r.rolname !~ '^pg_'
ORDER BY 1

-- name: lacking_extensions
SELECT n FROM unnest(%(names)s::text[]) AS s(n)
WHERE NOT EXISTS (SELECT FROM pg_available_extensions e WHERE e.name = n) ORDER BY 1

-- name: lacking_roles
SELECT n FROM unnest(%(names)s::text[]) AS s(n)
WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = n) ORDER BY 1

-- name: begun
SELECT phase FROM lockgate.phases WHERE plan = %(plan)s AND state NOT IN ('pending', 'undone') ORDER BY 1

-- name: tables
-- Those that rows can be put into: of a partitioned table its top. One that is not empty and was never analyzed has -1
-- rows.
SELECT c.oid, n.nspname AS schema, c.relname AS name, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS label,
       CASE WHEN c.relkind = 'p' THEN (
           SELECT coalesce(sum(greatest(leaf.reltuples, 0)), 0)
           FROM pg_partition_tree(c.oid) t JOIN pg_class leaf ON leaf.oid = t.relid WHERE t.isleaf
       ) WHEN c.reltuples < 0 AND pg_relation_size(c.oid) = 0 THEN 0 ELSE c.reltuples END::bigint AS rows
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')
  AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY 2, 3

-- name: columns
-- Of the statistics only what is no value of a text: how many, how long, and the bounds of numbers and dates.
WITH RECURSIVE base AS (
    SELECT oid AS type, oid AS base, typtype, typbasetype, -1 AS typmod FROM pg_type
    UNION ALL
    SELECT b.type, t.oid, t.typtype, t.typbasetype, CASE WHEN u.typtypmod >= 0 THEN u.typtypmod ELSE b.typmod END
    FROM base b JOIN pg_type u ON u.oid = b.base JOIN pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
)
SELECT a.attname AS name, a.attnum AS number, format_type(a.atttypid, a.atttypmod) AS type,
       bt.typname AS base, bt.typtype AS kind, bt.typelem <> 0 AND bt.typcategory = 'A' AS is_array,
       CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE b.typmod END AS typmod,
       NOT (a.attnotnull OR ty.typnotnull) AS nullable, a.attgenerated <> '' AS generated,
       s.n_distinct AS distinct, s.null_frac AS nulls, s.avg_width AS width,
       CASE WHEN bounded THEN (s.histogram_bounds::text::text[])[1] END AS low,
       CASE WHEN bounded THEN (s.histogram_bounds::text::text[])[array_upper(s.histogram_bounds::text::text[], 1)] END AS high
FROM pg_attribute a
JOIN pg_type ty ON ty.oid = a.atttypid
JOIN base b ON b.type = a.atttypid AND b.typtype <> 'd'
JOIN pg_type bt ON bt.oid = b.base
CROSS JOIN LATERAL (
    SELECT bt.typname IN ('int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'date', 'timestamp', 'timestamptz')
) AS f(bounded)
LEFT JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
     AND s.inherited = (c.relkind = 'p')
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum

-- name: shapes
-- How the texts of a table look: of each character only whether it is a digit, a letter or which mark it is. Of what is
-- long, nothing.
WITH texts AS (
    SELECT a.attnum AS number, t.value, t.part, s.histogram_bounds IS NULL AS few
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
         AND s.inherited = (c.relkind = 'p')
    CROSS JOIN LATERAL (
        SELECT value, part FROM unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS m (value, part)
        UNION ALL
        SELECT value, (1 - s.null_frac - coalesce((SELECT sum(f) FROM unnest(s.most_common_freqs) AS f), 0))
                      / count(*) OVER ()
        FROM unnest(s.histogram_bounds::text::text[]) AS h (value)
    ) AS t
    WHERE a.attrelid = %(oid)s AND a.attnum = ANY (%(numbers)s) AND length(t.value) <= 200
), masks AS (
    SELECT number, mask, sum(greatest(part, 0))::float8 AS part, CASE WHEN few THEN count(*) END AS distinct
    FROM texts, LATERAL (
        SELECT regexp_replace(regexp_replace(regexp_replace(value, '[0-9]', '9', 'g'), '[A-Z]', 'A', 'g'),
                              '[a-z]|[^\x01-\x7f]', 'a', 'g') AS mask
    ) AS m
    GROUP BY number, mask, few
)
SELECT number, mask, part, "distinct"
FROM (SELECT *, row_number() OVER (PARTITION BY number ORDER BY part DESC, mask) AS place FROM masks) AS ranked
WHERE place <= %(most)s
ORDER BY number, place

-- name: frequencies
-- How often a column holds a value that the schema itself names: of an enum, of a list in a check, true and false.
SELECT a.attnum AS number, v.value, v.part::float8
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
     AND s.inherited = (c.relkind = 'p')
CROSS JOIN unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS v (value, part)
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
  AND (t.typtype = 'e' OR t.oid = 'bool'::regtype OR v.value = ANY (%(values)s))
ORDER BY 1, 3 DESC, 2

-- name: constraints
SELECT contype AS kind, conname AS name, conkey AS columns, confkey AS referred, confrelid AS parent,
       pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE conrelid = %(oid)s AND contype IN ('f', 'c')
ORDER BY contype, conname

-- name: uniques
SELECT i.indkey::int2[] AS columns FROM pg_index i
WHERE i.indrelid = %(oid)s AND i.indisunique AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
  AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\("?[^()]+"? IS NOT NULL\)$')
ORDER BY i.indisprimary DESC, i.indexrelid

-- name: sequences
-- Sequences that columns own, so that what the plan inserts comes after what was filled.
SELECT quote_ident(n.nspname) || '.' || quote_ident(s.relname) AS sequence, a.attname AS column
FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace n ON n.oid = s.relnamespace
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  AND d.refobjid = to_regclass(%(table)s)

-- name: matviews
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND NOT c.relispopulated ORDER BY c.oid
