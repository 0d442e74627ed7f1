-- What the schema is: a query a kind, a row an object. `name` is as SQL writes it, `table` the relation that the object is
-- a part of; every other column is a property of the column's name, left out where it is NULL. Run with search_path =
-- pg_catalog, so that all names in definitions are qualified, and with `passing`: whether to read what comes and goes with
-- the application's work, which is partitions and how far sequences are. Each query follows `scope`.

-- name: scope
-- Left out: the ledger and what it hangs on other tables, system schemas, temporary objects, members of extensions, and
-- the functions that the server makes for a range.
WITH members AS (
    SELECT classid, objid FROM pg_depend
    WHERE deptype = 'e' OR deptype = 'i' AND classid IN ('pg_proc'::regclass, 'pg_cast'::regclass)
), schemas AS (
    SELECT oid, nspname, quote_ident(nspname) AS called, nspowner, nspacl FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'lockgate')
), relations AS (
    SELECT c.*, s.called || '.' || quote_ident(c.relname) AS called,
           (SELECT spcname FROM pg_tablespace t WHERE t.oid = c.reltablespace) AS place,
           (SELECT nullif(amname, 'heap') FROM pg_am m WHERE m.oid = c.relam) AS method
    FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
      AND c.relpersistence <> 't' AND (%(passing)s OR NOT c.relispartition)
      AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
)

-- name: schema
SELECT called AS name, pg_get_userbyid(nspowner) AS owner
FROM schemas s
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_namespace'::regclass AND m.objid = s.oid)

-- name: extension
SELECT quote_ident(extname) AS name, extversion AS version, extnamespace::regnamespace::text AS schema,
       pg_get_userbyid(extowner) AS owner
FROM pg_extension

-- name: table
SELECT r.called AS name, r.called AS "table",
       CASE r.relkind WHEN 'r' THEN 'plain' WHEN 'p' THEN 'partitioned' ELSE 'foreign' END AS sort,
       pg_get_userbyid(r.relowner) AS owner,
       CASE r.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'logged' END AS persistence,
       pg_get_partkeydef(r.oid) AS "partitioned by",
       CASE WHEN r.relispartition THEN
           (SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = r.oid) END AS "partition of",
       pg_get_expr(r.relpartbound, r.oid) AS bounds,
       CASE WHEN NOT r.relispartition THEN
           (SELECT array_agg(inhparent::regclass::text ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = r.oid)
       END AS "inherits from",
       CASE WHEN r.relrowsecurity THEN 'on' ELSE 'off' END AS "row security",
       CASE WHEN r.relforcerowsecurity THEN 'yes' END AS "row security for the owner",
       CASE r.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing' WHEN 'i' THEN 'an index' END AS "replica identity",
       (SELECT array_agg(o ORDER BY o COLLATE "C") FROM unnest(r.reloptions) o) AS options,
       (SELECT array_agg(o ORDER BY o COLLATE "C") FROM pg_class t, unnest(t.reloptions) o WHERE t.oid = r.reltoastrelid)
           AS "options of its TOAST table",
       r.place AS tablespace, r.method AS "access method",
       CASE WHEN r.reloftype <> 0 THEN r.reloftype::regtype::text END AS "of type",
       s.srvname AS server, f.ftoptions AS "options on the server",
       (SELECT array_agg(quote_ident(attname) ORDER BY attnum) FROM pg_attribute a
        WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped) AS "column order"
FROM relations r
LEFT JOIN pg_foreign_table f ON f.ftrelid = r.oid
LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver
WHERE r.relkind IN ('r', 'p', 'f')

-- name: view
SELECT called AS name, called AS "table", pg_get_viewdef(oid) AS definition, pg_get_userbyid(relowner) AS owner,
       (SELECT array_agg(o ORDER BY o COLLATE "C") FROM unnest(reloptions) o) AS options
FROM relations WHERE relkind = 'v'

-- name: materialized_view
SELECT called AS name, called AS "table", pg_get_viewdef(oid) AS definition, pg_get_userbyid(relowner) AS owner,
       CASE WHEN relispopulated THEN 'yes' ELSE 'no' END AS populated,
       (SELECT array_agg(o ORDER BY o COLLATE "C") FROM unnest(reloptions) o) AS options,
       place AS tablespace, method AS "access method"
FROM relations WHERE relkind = 'm'

-- name: column
-- A NOT NULL is a constraint in the catalog from PostgreSQL 18 on; its name is not looked at, for older servers drop it.
SELECT r.called || '.' || quote_ident(a.attname) AS name, r.called AS "table",
       format_type(a.atttypid, a.atttypmod) AS type,
       CASE WHEN NOT a.attnotnull THEN 'allowed' WHEN n.convalidated IS FALSE THEN 'refused in new rows'
            WHEN n.connoinherit THEN 'refused, not inherited' ELSE 'refused' END AS "null",
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS "default",
       CASE a.attgenerated WHEN '' THEN NULL ELSE
           CASE a.attgenerated WHEN 's' THEN 'stored' ELSE 'virtual' END || ' ' || pg_get_expr(d.adbin, d.adrelid)
       END AS generated,
       CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS identity,
       CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END AS collation,
       CASE WHEN a.attstorage <> t.typstorage THEN
           CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END
       END AS storage,
       CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
       nullif(a.attstattarget, -1)::text AS "statistics target",
       (SELECT array_agg(o ORDER BY o COLLATE "C") FROM unnest(a.attoptions) o) AS options,
       (SELECT array_agg(o ORDER BY o COLLATE "C") FROM unnest(a.attfdwoptions) o) AS "options on the server"
FROM relations r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_constraint n ON n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey[1] = a.attnum
WHERE r.relkind <> 'S'

-- name: constraint
-- What a partition has of its table's foreign keys is left out: its names are the server's affair.
SELECT r.called || '.' || quote_ident(c.conname) AS name, r.called AS "table",
       regexp_replace(pg_get_constraintdef(c.oid), ' NOT (VALID|ENFORCED)$', '') AS definition,
       CASE WHEN c.convalidated THEN 'yes' ELSE 'no' END AS validated,
       CASE WHEN to_jsonb(c) ->> 'conenforced' = 'false' OR EXISTS (
           SELECT FROM pg_trigger g WHERE g.tgconstraint = c.oid AND g.tgenabled NOT IN ('O', 'A'))
       THEN 'no' END AS enforced
FROM relations r JOIN pg_constraint c ON c.conrelid = r.oid
WHERE c.contype NOT IN ('n', 't') AND NOT (c.contype = 'f' AND c.conparentid <> 0)
UNION ALL
SELECT s.called || '.' || quote_ident(t.typname) || '.' || quote_ident(c.conname), NULL,
       regexp_replace(pg_get_constraintdef(c.oid), ' NOT VALID$', ''),
       CASE WHEN c.convalidated THEN 'yes' ELSE 'no' END, NULL
FROM pg_constraint c JOIN pg_type t ON t.oid = c.contypid JOIN schemas s ON s.oid = t.typnamespace
WHERE c.contype <> 'n' AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)

-- name: index
SELECT i.indexrelid::regclass::text AS name, r.called AS "table",
       pg_get_indexdef(i.indexrelid) AS definition,
       CASE WHEN i.indisvalid AND i.indisready THEN 'yes' ELSE 'no' END AS valid,
       CASE WHEN i.indisreplident THEN 'yes' END AS "replica identity",
       CASE WHEN i.indisclustered THEN 'yes' END AS clustered,
       (SELECT spcname FROM pg_tablespace t WHERE t.oid = x.reltablespace) AS tablespace,
       (SELECT array_agg(attnum || ': ' || attstattarget ORDER BY attnum) FROM pg_attribute a
        WHERE a.attrelid = i.indexrelid AND a.attstattarget > -1) AS "statistics targets",
       (SELECT inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = i.indexrelid) AS "part of"
FROM relations r
JOIN pg_index i ON i.indrelid = r.oid
JOIN pg_class x ON x.oid = i.indexrelid

-- name: statistics
SELECT n.called || '.' || quote_ident(s.stxname) AS name, r.called AS "table",
       pg_get_statisticsobjdef(s.oid) AS definition, nullif(s.stxstattarget, -1)::text AS target,
       pg_get_userbyid(s.stxowner) AS owner
FROM pg_statistic_ext s
JOIN schemas n ON n.oid = s.stxnamespace
JOIN relations r ON r.oid = s.stxrelid

-- name: trigger
-- A partition's copy of its table's trigger is told of where it alone is switched off.
SELECT r.called || '.' || quote_ident(t.tgname) AS name, r.called AS "table",
       CASE WHEN t.tgparentid = 0 THEN pg_get_triggerdef(t.oid) END AS definition,
       CASE t.tgenabled WHEN 'O' THEN 'yes' WHEN 'A' THEN 'always' WHEN 'R' THEN 'for replicas only' ELSE 'no' END AS enabled
FROM relations r
JOIN pg_trigger t ON t.tgrelid = r.oid
JOIN pg_proc p ON p.oid = t.tgfoid
LEFT JOIN pg_trigger above ON above.oid = t.tgparentid AND t.tgparentid <> 0
LEFT JOIN pg_constraint c ON c.oid = t.tgconstraint AND t.tgconstraint <> 0
WHERE CASE WHEN t.tgparentid = 0 THEN NOT t.tgisinternal ELSE above.tgenabled <> t.tgenabled END
  AND coalesce(c.contype, 't') = 't'
  AND p.pronamespace <> coalesce(to_regnamespace('lockgate')::oid, 0)

-- name: rule
SELECT r.called || '.' || quote_ident(w.rulename) AS name, r.called AS "table", pg_get_ruledef(w.oid) AS definition,
       CASE w.ev_enabled WHEN 'O' THEN 'yes' WHEN 'A' THEN 'always' WHEN 'R' THEN 'for replicas only' ELSE 'no' END AS enabled
FROM relations r JOIN pg_rewrite w ON w.ev_class = r.oid
WHERE w.rulename <> '_RETURN'

-- name: policy
SELECT r.called || '.' || quote_ident(p.polname) AS name, r.called AS "table",
       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                     ELSE 'ALL' END AS command,
       CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END AS sort,
       (SELECT array_agg(coalesce(o.rolname, 'PUBLIC')::text ORDER BY o.rolname)
        FROM unnest(p.polroles) AS g (oid) LEFT JOIN pg_roles o USING (oid)) AS roles,
       pg_get_expr(p.polqual, p.polrelid) AS "using", pg_get_expr(p.polwithcheck, p.polrelid) AS "with check"
FROM relations r JOIN pg_policy p ON p.polrelid = r.oid

-- name: sequence
SELECT r.called AS name, d.refobjid::regclass::text AS "table",
       format_type(s.seqtypid, NULL) AS type, s.seqstart::text AS start, s.seqincrement::text AS increment,
       s.seqmin::text AS minimum, s.seqmax::text AS maximum, s.seqcache::text AS cache,
       CASE WHEN s.seqcycle THEN 'yes' END AS cycles,
       d.refobjid::regclass || '.' || quote_ident(a.attname) AS "owned by",
       pg_get_userbyid(r.relowner) AS owner,
       CASE r.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'logged' END AS persistence,
       CASE WHEN %(passing)s AND has_sequence_privilege(r.oid, 'USAGE, SELECT') THEN
           CASE WHEN v.last IS NULL THEN 'not used yet'
                WHEN NOT s.seqcycle AND v.last = CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END THEN 'used up'
                ELSE 'used' END END AS "value"
FROM relations r
JOIN pg_sequence s ON s.seqrelid = r.oid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
CROSS JOIN LATERAL (SELECT CASE WHEN %(passing)s AND has_sequence_privilege(r.oid, 'USAGE, SELECT')
                           THEN pg_sequence_last_value(r.oid) END) AS v (last)
