-- What hangs on each table of core and ref: constraints that hold rows to something, valid indexes, defaults, settings.
SELECT c.oid::regclass::text AS relation, o.kind, o.name
FROM pg_catalog.pg_class c
CROSS JOIN LATERAL (
    SELECT CASE t.contype WHEN 'c' THEN 'check' ELSE 'foreign key' END AS kind, t.conname::text AS name
    FROM pg_catalog.pg_constraint t WHERE t.conrelid = c.oid AND t.contype IN ('c', 'f') AND t.convalidated
    UNION ALL
    SELECT CASE WHEN x.indisunique THEN 'unique index' ELSE 'index' END, x.indexrelid::regclass::text
    FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisvalid
    UNION ALL
    SELECT 'default', a.attname || ' ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid)
    FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = c.oid
    UNION ALL
    SELECT 'setting', option FROM unnest(c.reloptions) AS option
) AS o
WHERE c.relkind = 'r' AND c.relnamespace IN ('core'::regnamespace, 'ref'::regnamespace)
