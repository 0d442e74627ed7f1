-- What a table is beside its rows, a line a part: kind, name, definition. Of its partitions, too, for they are backed up
-- and restored with it; engine's fingerprint leaves them out, for there they come and go by the clock. Run with
-- search_path = pg_catalog, so that all names in definitions are qualified. What Lockgate hangs on it is left out.
WITH family AS (
    SELECT %(oid)s::oid AS oid
    UNION
    SELECT t.relid FROM pg_partition_tree(%(oid)s::oid) t
), tables AS (
    SELECT c.*, format('%%I.%%I', n.nspname, c.relname) AS called
    FROM pg_class c JOIN family f ON f.oid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace
), sequences AS (
    SELECT DISTINCT s.*, format('%%I.%%I', n.nspname, s.relname) AS called
    FROM pg_depend d JOIN tables t ON t.oid = d.refobjid
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
), owned AS (
    SELECT oid, called, relkind, relowner, relacl FROM tables
    UNION ALL SELECT oid, called, relkind, relowner, relacl FROM sequences
)
SELECT 'kind' AS kind, called AS name,
       concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, relreplident, pg_get_partkeydef(oid),
                 pg_get_expr(relpartbound, oid), (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(reloptions) o)) AS definition
FROM tables
UNION ALL
SELECT 'columns', t.called || '.' || a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
                 a.attidentity, a.attgenerated, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid))
FROM tables t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT 'constraints', t.called || '.' || c.conname, concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated)
FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid
UNION ALL
SELECT 'indexes', i.indexrelid::regclass::text,
       concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisreplident, i.indisclustered)
FROM tables t JOIN pg_index i ON i.indrelid = t.oid
UNION ALL
SELECT 'triggers', t.called || '.' || g.tgname, concat_ws(' ', pg_get_triggerdef(g.oid), g.tgenabled)
FROM tables t
JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
JOIN pg_proc p ON p.oid = g.tgfoid
WHERE p.pronamespace <> coalesce(to_regnamespace('lockgate')::oid, 0)
UNION ALL
SELECT 'rules', t.called || '.' || w.rulename, concat_ws(' ', pg_get_ruledef(w.oid), w.ev_enabled)
FROM tables t JOIN pg_rewrite w ON w.ev_class = t.oid
UNION ALL
SELECT 'policies', t.called || '.' || p.polname,
       concat_ws(' ', p.polcmd, p.polpermissive,
                 (SELECT string_agg(coalesce(o.rolname, 'public'), ',' ORDER BY o.rolname)
                  FROM unnest(p.polroles) AS g (oid) LEFT JOIN pg_roles o USING (oid)),
                 pg_get_expr(p.polqual, p.polrelid), '/', pg_get_expr(p.polwithcheck, p.polrelid))
FROM tables t JOIN pg_policy p ON p.polrelid = t.oid
UNION ALL
SELECT 'statistics', s.stxname, pg_get_statisticsobjdef(s.oid)
FROM tables t JOIN pg_statistic_ext s ON s.stxrelid = t.oid
UNION ALL
SELECT 'sequences', q.called,
       concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
FROM sequences q JOIN pg_sequence s ON s.seqrelid = q.oid
UNION ALL
SELECT 'owner', called, relowner::regrole::text FROM owned
UNION ALL
SELECT 'grants', o.called, concat_ws(' ', coalesce(g.rolname, 'public'), x.privilege_type, x.is_grantable)
FROM owned o
CROSS JOIN LATERAL aclexplode(coalesce(o.relacl, acldefault(CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", o.relowner))) x
LEFT JOIN pg_roles g ON g.oid = x.grantee
UNION ALL
SELECT 'grants', t.called || '.' || a.attname, concat_ws(' ', coalesce(g.rolname, 'public'), x.privilege_type, x.is_grantable)
FROM tables t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attacl IS NOT NULL
CROSS JOIN LATERAL aclexplode(a.attacl) x
LEFT JOIN pg_roles g ON g.oid = x.grantee
UNION ALL
SELECT 'comments', concat_ws('.', o.called, d.objsubid), d.description
FROM owned o JOIN pg_description d ON d.objoid = o.oid AND d.classoid = 'pg_class'::regclass
