-- Everything that makes up the schema, a row an object: kind, schema, name, definition. Run with search_path =
-- pg_catalog, so that all names in definitions are qualified. Left out: the ledger and what it hangs on other
-- tables, system schemas, temporary objects, members of extensions, and partitions, which come and go by the clock.
WITH schemas AS (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'lockgate')
), members AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relations AS (
    SELECT c.*, s.nspname
    FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
      AND c.relpersistence <> 't' AND NOT c.relispartition
      AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
)
SELECT 'schemas' AS kind, nspname::text AS schema, nspname::text AS name, '' AS definition
FROM schemas
UNION ALL
SELECT 'extensions', '', extname, extversion FROM pg_extension
UNION ALL
SELECT 'tables', nspname, relname,
       concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, relreplident,
                 pg_get_partkeydef(oid), (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(reloptions) o))
FROM relations WHERE relkind <> 'S'
UNION ALL
SELECT 'columns', r.nspname, r.relname || '.' || a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
                 a.attidentity, a.attgenerated, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid))
FROM relations r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.relkind <> 'S'
UNION ALL
SELECT 'sequences', r.nspname, r.relname,
       concat_ws(' ', s.seqtypid::regtype, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
FROM relations r JOIN pg_sequence s ON s.seqrelid = r.oid
UNION ALL
SELECT 'constraints', s.nspname, coalesce(r.relname, t.typname) || '.' || c.conname, pg_get_constraintdef(c.oid)
FROM pg_constraint c
JOIN schemas s ON s.oid = c.connamespace
LEFT JOIN relations r ON r.oid = c.conrelid
LEFT JOIN pg_type t ON t.oid = c.contypid AND c.contypid <> 0
WHERE r.oid IS NOT NULL OR t.oid IS NOT NULL
UNION ALL
SELECT 'indexes', r.nspname, i.indexrelid::regclass::text,
       concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisreplident)
FROM relations r JOIN pg_index i ON i.indrelid = r.oid
UNION ALL
SELECT 'triggers', r.nspname, r.relname || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
FROM relations r
JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE p.pronamespace <> coalesce(to_regnamespace('lockgate')::oid, 0)
UNION ALL
SELECT 'views', nspname, relname, pg_get_viewdef(oid) FROM relations WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'rules', r.nspname, r.relname || '.' || w.rulename, concat_ws(' ', pg_get_ruledef(w.oid), w.ev_enabled)
FROM relations r JOIN pg_rewrite w ON w.ev_class = r.oid
WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT 'policies', r.nspname, r.relname || '.' || p.polname,
       concat_ws(' ', p.polcmd, p.polpermissive,
                 (SELECT string_agg(coalesce(o.rolname, 'public'), ',' ORDER BY o.rolname)
                  FROM unnest(p.polroles) AS g (oid) LEFT JOIN pg_roles o USING (oid)),
                 pg_get_expr(p.polqual, p.polrelid), '/', pg_get_expr(p.polwithcheck, p.polrelid))
FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT 'functions', s.nspname, p.oid::regprocedure::text,
       CASE WHEN p.prokind = 'a' THEN pg_get_function_result(p.oid) ELSE pg_get_functiondef(p.oid) END
FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
UNION ALL
SELECT 'types', s.nspname, t.typname,
       concat_ws(' ', t.typtype,
                 (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder)
                  FROM pg_enum e WHERE e.enumtypid = t.oid),
                 CASE WHEN t.typtype = 'd' THEN
                     concat_ws(' ', format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault) END)
FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
WHERE t.typtype IN ('d', 'e', 'r')
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
