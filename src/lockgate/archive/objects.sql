-- name: known
-- One thing of the catalog: the statement that drops it and nothing else, and the one that makes it anew.
-- No row for a kind that is not dropped here.
WITH asked AS (SELECT %(catalog)s::oid AS catalog, %(oid)s::oid AS oid)
SELECT pg_catalog.format('DROP %%s %%s', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, named.identity)
           AS statement,
       pg_catalog.format('CREATE %%s %%s%%s AS %%s%%s',
           CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, named.identity,
           ' WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')',
           pg_catalog.pg_get_viewdef(c.oid),
           (SELECT pg_catalog.string_agg(E'\n' || pg_catalog.pg_get_indexdef(i.indexrelid) || ';', '' ORDER BY i.indexrelid)
            FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid)) AS definition,
       named.identity AS relation
FROM asked JOIN pg_catalog.pg_class c ON asked.catalog = 'pg_catalog.pg_class'::regclass AND c.oid = asked.oid
CROSS JOIN LATERAL pg_catalog.pg_identify_object(asked.catalog, asked.oid, 0) AS named
WHERE c.relkind IN ('v', 'm')
UNION ALL
SELECT pg_catalog.format('DROP %%s %%s', pg_catalog.upper(named.type), named.identity),
       CASE WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid) END, NULL
FROM asked JOIN pg_catalog.pg_proc p ON asked.catalog = 'pg_catalog.pg_proc'::regclass AND p.oid = asked.oid
CROSS JOIN LATERAL pg_catalog.pg_identify_object(asked.catalog, asked.oid, 0) AS named
UNION ALL
SELECT pg_catalog.format('ALTER TABLE %%s DROP CONSTRAINT %%I', home.identity, c.conname),
       pg_catalog.format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s;', home.identity, c.conname,
                         pg_catalog.pg_get_constraintdef(c.oid)), home.identity
FROM asked JOIN pg_catalog.pg_constraint c ON asked.catalog = 'pg_catalog.pg_constraint'::regclass AND c.oid = asked.oid
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, c.conrelid, 0) AS home
WHERE c.contype = 'f'
UNION ALL
SELECT pg_catalog.format('DROP TRIGGER %%I ON %%s', t.tgname, home.identity),
       pg_catalog.pg_get_triggerdef(t.oid) || ';', home.identity
FROM asked JOIN pg_catalog.pg_trigger t ON asked.catalog = 'pg_catalog.pg_trigger'::regclass AND t.oid = asked.oid
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, t.tgrelid, 0) AS home
UNION ALL
SELECT pg_catalog.format('DROP RULE %%I ON %%s', r.rulename, home.identity),
       pg_catalog.pg_get_ruledef(r.oid), home.identity
FROM asked JOIN pg_catalog.pg_rewrite r ON asked.catalog = 'pg_catalog.pg_rewrite'::regclass AND r.oid = asked.oid
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, r.ev_class, 0) AS home
WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT pg_catalog.format('DROP POLICY %%I ON %%s', p.polname, home.identity),
       pg_catalog.format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s%%s%%s;', p.polname, home.identity,
           CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
           CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                         ELSE 'ALL' END,
           (SELECT pg_catalog.string_agg(CASE role WHEN 0 THEN 'PUBLIC'
                                         ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role)) END, ', ')
            FROM unnest(p.polroles) AS role),
           ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
           ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')'), home.identity
FROM asked JOIN pg_catalog.pg_policy p ON asked.catalog = 'pg_catalog.pg_policy'::regclass AND p.oid = asked.oid
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, p.polrelid, 0) AS home
UNION ALL
-- The publication itself stays. Its columns and its condition are there from PostgreSQL 15 on.
SELECT pg_catalog.format('ALTER PUBLICATION %%I DROP TABLE %%s', p.pubname, home.identity),
       pg_catalog.format('ALTER PUBLICATION %%I ADD TABLE %%s%%s%%s;', p.pubname, home.identity,
           CASE WHEN pg_catalog.to_jsonb(r) ->> 'prattrs' IS NOT NULL THEN
               (SELECT ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(a.name), ', ') || ')'
                FROM pg_catalog.jsonb_array_elements_text(pg_catalog.to_jsonb(t) -> 'attnames') AS a (name)) END,
           ' WHERE (' || (pg_catalog.to_jsonb(t) ->> 'rowfilter') || ')'), NULL
FROM asked JOIN pg_catalog.pg_publication_rel r
    ON asked.catalog = 'pg_catalog.pg_publication_rel'::regclass AND r.oid = asked.oid
JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::regclass, r.prrelid, 0) AS home
LEFT JOIN pg_catalog.pg_publication_tables t
    ON t.pubname = p.pubname AND t.schemaname = n.nspname AND t.tablename = c.relname

-- name: within
-- The foreign key, if it is one of these tables.
SELECT c.conname FROM pg_catalog.pg_constraint c
WHERE %(catalog)s::oid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND c.oid = %(oid)s::oid
  AND c.conrelid = ANY (%(tables)s::oid[])
