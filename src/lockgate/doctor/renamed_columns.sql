-- Columns that a logging trigger names and that are not called so any more: writes of the table fail.
SELECT l.relid::regclass::text AS relation, f.n AS number, a.attisdropped AS dropped,
       CASE WHEN a.attisdropped THEN NULL ELSE pg_catalog.quote_ident(a.attname) END AS name
FROM lockgate.logs l
CROSS JOIN LATERAL unnest(l.columns) AS f (n)
JOIN pg_catalog.pg_attribute a ON a.attrelid = l.relid AND a.attnum = f.n
JOIN pg_catalog.pg_proc p ON p.proname = pg_catalog.format('log_%s_insert', l.id)
    AND p.pronamespace = 'lockgate'::regnamespace
WHERE l.off_at IS NULL
  AND (a.attisdropped
       OR pg_catalog.strpos(p.prosrc, pg_catalog.format('NEW."%s"', pg_catalog.replace(a.attname, '"', '""'))) = 0)
ORDER BY 1, 2
