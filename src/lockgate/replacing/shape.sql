-- name: table
SELECT c.relkind::text AS kind, c.relispartition OR EXISTS (
           SELECT FROM pg_catalog.pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) AS inherits,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner, c.relreplident::text AS identity, c.reloptions AS options,
       x.reloptions AS toast_options, c.relpersistence::text AS persistence, m.amname AS method, s.spcname AS space,
       c.relrowsecurity AS secured, c.relforcerowsecurity AS forced, t.typname AS of_type,
       pg_catalog.obj_description(c.oid, 'pg_class') AS comment
FROM pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_type t ON t.oid = c.reloftype
LEFT JOIN pg_catalog.pg_class x ON x.oid = c.reltoastrelid
LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = coalesce(nullif(c.reltablespace, 0), d.dattablespace)
WHERE c.oid = %(oid)s

-- name: unproven
-- Constraints that do not hold for all rows: made anew they would.
SELECT c.conname AS name FROM pg_catalog.pg_constraint c
WHERE c.conrelid = %(oid)s AND c.contype IN ('c', 'n') AND NOT c.convalidated ORDER BY 1

-- name: tuning
-- What ANALYZE is told of its columns.
SELECT pg_catalog.format('ALTER COLUMN %%I SET STATISTICS %%s', a.attname, a.attstattarget) AS change
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped AND a.attstattarget >= 0
UNION ALL
SELECT pg_catalog.format('ALTER COLUMN %%I SET (%%s)', a.attname, pg_catalog.array_to_string(a.attoptions, ', '))
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped AND a.attoptions IS NOT NULL
ORDER BY 1

-- name: statistics
-- Its extended statistics; what stands between name and table in the statement that makes them: (ndistinct) ON a, b.
SELECT e.oid::bigint AS oid, e.stxname AS name, n.nspname AS schema, pg_catalog.pg_get_userbyid(e.stxowner) AS owner,
       coalesce((pg_catalog.to_jsonb(e) ->> 'stxstattarget')::int, -1) AS target,
       pg_catalog.pg_has_role(e.stxowner, 'USAGE') AS allowed,
       pg_catalog.substr(d.text, 1 + pg_catalog.length(o.head), greatest(0,
           pg_catalog.length(d.text) - pg_catalog.length(o.head) - pg_catalog.length(o.tail))) AS body,
       pg_catalog.obj_description(e.oid, 'pg_statistic_ext') AS comment
FROM pg_catalog.pg_statistic_ext e
JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
JOIN pg_catalog.pg_class r ON r.oid = e.stxrelid
JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_statisticsobjdef(e.oid)) AS d (text)
CROSS JOIN LATERAL (SELECT pg_catalog.format('CREATE STATISTICS %%I.%%I', n.nspname, e.stxname),
                           pg_catalog.format(' FROM %%I.%%I', rn.nspname, r.relname)) AS o (head, tail)
WHERE e.stxrelid = %(oid)s ORDER BY n.nspname, e.stxname

-- name: face
-- What a table and the one that takes its place have alike, a line each; ``stored``: also how its rows are stored.
WITH rights AS (
    SELECT k.number, pg_catalog.string_agg(pg_catalog.concat_ws(' ', g.rolname, a.privilege_type, a.is_grantable), ', '
               ORDER BY g.rolname, a.privilege_type) AS list
    FROM (SELECT 0 AS number, coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner)) AS acl, c.relowner
          FROM pg_catalog.pg_class c WHERE c.oid = %(oid)s
          UNION ALL
          SELECT t.attnum, t.attacl, c.relowner FROM pg_catalog.pg_attribute t
          JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
          WHERE t.attrelid = %(oid)s AND t.attnum > 0 AND NOT t.attisdropped) AS k
    CROSS JOIN LATERAL pg_catalog.aclexplode(k.acl) AS a
    LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
    WHERE a.grantee <> k.relowner OR k.number > 0
    GROUP BY k.number)
SELECT pg_catalog.concat_ws('; ', 'column ' || pg_catalog.quote_ident(a.attname),
           pg_catalog.format_type(a.atttypid, a.atttypmod), l.collname, CASE WHEN a.attnotnull THEN 'not null' END,
           'default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), 'generated ' || nullif(a.attgenerated::text, ''),
           'stored ' || a.attstorage::text, 'compressed ' || nullif(pg_catalog.to_jsonb(a) ->> 'attcompression', ''),
           'analyzed ' || a.attstattarget, a.attoptions, rights.list,
           pg_catalog.col_description(a.attrelid, a.attnum)) AS line
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
LEFT JOIN rights ON rights.number = a.attnum
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT pg_catalog.concat_ws('; ', 'constraint ' || pg_catalog.quote_ident(c.conname),
           pg_catalog.pg_get_constraintdef(c.oid), pg_catalog.obj_description(c.oid, 'pg_constraint'))
FROM pg_catalog.pg_constraint c WHERE c.conrelid = %(oid)s AND c.contype = 'c'
UNION ALL
SELECT pg_catalog.concat_ws('; ', 'table', 'of ' || pg_catalog.pg_get_userbyid(c.relowner),
           'row security ' || c.relrowsecurity, c.relforcerowsecurity,
           'replica identity ' || nullif(nullif(c.relreplident::text, 'i'), 'd'), rights.list,
           pg_catalog.obj_description(c.oid, 'pg_class'))
FROM pg_catalog.pg_class c LEFT JOIN rights ON rights.number = 0 WHERE c.oid = %(oid)s
UNION ALL
SELECT pg_catalog.concat_ws('; ', 'storage', c.relpersistence::text, c.relam, c.reltablespace,
           (SELECT pg_catalog.array_agg(o ORDER BY o) FROM pg_catalog.unnest(c.reloptions || x.reloptions) AS o))
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class x ON x.oid = c.reltoastrelid
WHERE c.oid = %(oid)s AND %(stored)s
ORDER BY 1

-- name: publications
-- That name it, with the statement that adds another table in the same way.
SELECT pg_catalog.quote_ident(p.pubname) AS name, pg_catalog.pg_has_role(p.pubowner, 'USAGE') AS allowed,
       pg_catalog.concat(
           (SELECT ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(k.name), ', ' ORDER BY k.place) || ')'
            FROM pg_catalog.jsonb_array_elements_text(pg_catalog.to_jsonb(v) -> 'attnames') WITH ORDINALITY AS k (name, place)
            WHERE pg_catalog.to_jsonb(r) ->> 'prattrs' IS NOT NULL),
           ' WHERE (' || (pg_catalog.to_jsonb(v) ->> 'rowfilter') || ')') AS part
FROM pg_catalog.pg_publication_rel r
JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_publication_tables v
       ON v.pubname = p.pubname AND v.schemaname = n.nspname AND v.tablename = c.relname
WHERE r.prrelid = %(oid)s ORDER BY 1

-- name: indexes
-- What stands behind the name of the table in the statement that makes one: USING btree (id).
SELECT x.indexrelid::bigint AS oid, i.relname AS name, x.indisunique AS is_unique, x.indisprimary AS is_primary,
       x.indisvalid AS is_valid, x.indisexclusion AS excludes, x.indisclustered AS clustered,
       x.indisreplident AS replicates,
       x.indimmediate AND x.indpred IS NULL AND x.indexprs IS NULL AS is_plain,
       c.conname AS constraint, c.contype::text AS kind, c.condeferrable AS deferrable, c.condeferred AS deferred,
       pg_catalog.pg_get_constraintdef(c.oid) AS definition,
       pg_catalog.substr(pg_catalog.pg_get_indexdef(x.indexrelid), 1 + pg_catalog.length(
           CASE WHEN x.indisunique THEN 'CREATE UNIQUE INDEX ' ELSE 'CREATE INDEX ' END
           || pg_catalog.format('%%I ON %%I.%%I', i.relname, n.nspname, r.relname))) AS rest,
       ARRAY(SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number
             WHERE k.place <= x.indnkeyatts ORDER BY k.place) AS columns,
       ARRAY(SELECT pg_catalog.format('ALTER COLUMN %%s SET STATISTICS %%s', a.attnum, a.attstattarget)
             FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.indexrelid AND a.attstattarget >= 0 ORDER BY 1) AS tuning,
       s.spcname AS space,
       pg_catalog.obj_description(x.indexrelid, 'pg_class') AS comment,
       pg_catalog.obj_description(c.oid, 'pg_constraint') AS constraint_comment
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class r ON r.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
JOIN pg_catalog.pg_tablespace s ON s.oid = coalesce(nullif(i.reltablespace, 0), d.dattablespace)
LEFT JOIN pg_catalog.pg_constraint c ON c.conindid = x.indexrelid AND c.conrelid = x.indrelid AND c.contype IN ('p', 'u', 'x')
WHERE x.indrelid = %(oid)s AND i.relname NOT LIKE 'lockgate\_%%' ORDER BY NOT x.indisprimary, i.relname

-- name: grants
-- Of a table or sequence and its columns, as statements for another one.
SELECT pg_catalog.format('GRANT %%s%%s ON %%s %%s TO %%s%%s', a.privilege_type, held.column_, %(kind)s::text, %(on)s::text,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM (SELECT 0 AS number, '' AS column_, c.relacl AS acl FROM pg_catalog.pg_class c WHERE c.oid = %(oid)s
      UNION ALL
      SELECT t.attnum, pg_catalog.format(' (%%I)', t.attname), t.attacl FROM pg_catalog.pg_attribute t
      WHERE t.attrelid = %(oid)s AND t.attnum > 0 AND NOT t.attisdropped) AS held
CROSS JOIN LATERAL pg_catalog.aclexplode(held.acl) AS a
ORDER BY held.number, a.grantee, a.privilege_type

-- name: granted
-- Whom default privileges gave something.
SELECT DISTINCT pg_catalog.format('REVOKE ALL ON %%s %%s FROM %%s', %(kind)s::text, %(on)s::text,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END)
FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
WHERE c.oid = %(oid)s AND a.grantee <> c.relowner

-- name: policies
SELECT pg_catalog.format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s%%s%%s', p.polname, %(on)s::text,
           CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
           CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           (SELECT pg_catalog.string_agg(CASE WHEN g.oid = 0 THEN 'PUBLIC'
                ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.oid)) END, ', ') FROM unnest(p.polroles) AS g (oid)),
           ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
           ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')') AS statement,
       p.polname AS name, pg_catalog.obj_description(p.oid, 'pg_policy') AS comment
FROM pg_catalog.pg_policy p WHERE p.polrelid = %(oid)s ORDER BY p.polname

-- name: foreign_keys
-- Its own.
SELECT c.conname AS name, pg_catalog.pg_get_constraintdef(c.oid) AS definition, c.convalidated AS is_valid,
       c.confrelid = c.conrelid AS to_itself,
       pg_catalog.has_table_privilege(r.oid, 'REFERENCES') AS allowed, pg_catalog.format('%%I.%%I', n.nspname, r.relname) AS other,
       pg_catalog.obj_description(c.oid, 'pg_constraint') AS comment
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.conrelid = %(oid)s AND c.contype = 'f' AND c.conparentid = 0 ORDER BY c.conname

-- name: referring
-- Those of other tables that refer to it.
SELECT c.conname AS name, pg_catalog.pg_get_constraintdef(c.oid) AS definition, c.convalidated AS is_valid,
       pg_catalog.format('%%I.%%I', n.nspname, r.relname) AS other, r.relkind::text AS kind,
       pg_catalog.pg_has_role(r.relowner, 'USAGE') AS allowed,
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) AS k (number)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number) AS columns,
       pg_catalog.obj_description(c.oid, 'pg_constraint') AS comment
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.confrelid = %(oid)s AND c.conrelid <> c.confrelid AND c.contype = 'f' AND c.conparentid = 0 ORDER BY 4, 1

-- name: triggers
SELECT t.tgname AS name, pg_catalog.pg_get_triggerdef(t.oid) AS definition, t.tgenabled::text AS enabled,
       t.tgtype & 1 = 1 AND (t.tgnewtable IS NOT NULL OR t.tgoldtable IS NOT NULL) AS sees_rows,
       pg_catalog.obj_description(t.oid, 'pg_trigger') AS comment
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = %(oid)s AND NOT t.tgisinternal AND p.pronamespace <> coalesce(pg_catalog.to_regnamespace('lockgate')::oid, 0)
ORDER BY t.tgname

-- name: views
-- Views that read it.
SELECT DISTINCT v.oid::bigint AS oid, v.relkind::text AS kind, pg_catalog.format('%%I.%%I', n.nspname, v.relname) AS name,
       pg_catalog.pg_get_viewdef(v.oid) AS definition, v.reloptions AS options,
       pg_catalog.pg_has_role(v.relowner, 'USAGE') AS allowed,
       EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
               JOIN pg_catalog.pg_class c ON c.reltype IN (y.oid, y.typelem)
               WHERE a.attrelid = v.oid AND a.attnum > 0 AND c.oid = d.refobjid) AS has_its_type
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid AND w.rulename = '_RETURN'
JOIN pg_catalog.pg_class v ON v.oid = w.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.refobjid = %(oid)s AND v.oid <> d.refobjid ORDER BY 1

-- name: sequences
-- The sequences of its columns: of an identity column (a: always, d: by default) or owned (empty).
SELECT a.attname AS column, a.attidentity::text AS identity, s.seqrelid::bigint AS oid, s.seqcache AS cache,
       pg_catalog.obj_description(s.seqrelid, 'pg_class') AS comment,
       pg_catalog.format('%%I.%%I', n.nspname, c.relname) AS name,
       pg_catalog.format('SEQUENCE NAME %%I.%%I INCREMENT BY %%s MINVALUE %%s MAXVALUE %%s START WITH %%s CACHE %%s %%s',
           n.nspname, c.relname, s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
           CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) AS options
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.refobjid = %(oid)s AND d.deptype IN ('a', 'i') ORDER BY a.attnum

-- name: lockable
-- Those that this role may lock before it changes them; the others are locked when they are changed.
SELECT t.name FROM unnest(%(names)s::text[]) WITH ORDINALITY AS t (name, place)
WHERE pg_catalog.has_table_privilege(t.name, 'UPDATE, DELETE, TRUNCATE') ORDER BY t.place

-- name: taken
SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = %(schema)s AND c.relname = %(name)s)
    OR EXISTS (SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
               WHERE n.nspname = %(schema)s AND t.typname = %(name)s)

-- name: index_now
SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %(oid)s

-- name: statistics_now
SELECT n.nspname AS schema, e.stxname AS name FROM pg_catalog.pg_statistic_ext e
JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace WHERE e.oid = %(oid)s
