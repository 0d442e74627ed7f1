-- What hazards depend on, of the whole database: a query a kind, few columns, no lock but those of the catalog, and what
-- pg_get_expr needs. Run with search_path = pg_catalog, so that names in expressions are qualified. Schemas of the server
-- and of Lockgate are left out, and temporary tables.

-- name: server
SELECT current_setting('server_version_num')::int AS version,
       current_setting('TimeZone') IN ('UTC', 'GMT', 'Etc/UTC', 'Etc/GMT', 'Zulu', 'Etc/Zulu', 'Universal', 'Etc/Universal',
                                       'Etc/UCT', 'UCT') AS utc

-- name: relations
WITH here AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'lockgate')
), policies AS (
    SELECT polrelid, count(*)::int AS found FROM pg_policy GROUP BY polrelid
), published AS (
    SELECT DISTINCT r.prrelid AS oid FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
    WHERE p.pubupdate OR p.pubdelete
), of_all AS (
    SELECT coalesce(bool_or(puballtables AND (pubupdate OR pubdelete)), false) AS all_tables FROM pg_publication
)
SELECT c.oid::bigint, h.nspname, c.relname, c.relkind::text, c.relpersistence::text, pg_get_userbyid(c.relowner),
       c.reltuples::float8, c.relpages::bigint * current_setting('block_size')::bigint,
       c.relispartition, i.inhparent::bigint, CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, nullif(t.partdefid, 0)::bigint,
       (c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND o.all_tables OR b.oid IS NOT NULL),
       c.relreplident::text, c.relrowsecurity, c.relforcerowsecurity, coalesce(p.found, 0), c.reltype::bigint,
       c.relkind <> 'm' OR c.relispopulated
FROM pg_class c
JOIN here h ON h.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhseqno = 1
LEFT JOIN pg_partitioned_table t ON t.partrelid = c.oid
LEFT JOIN policies p ON p.polrelid = c.oid
LEFT JOIN published b ON b.oid = c.oid
CROSS JOIN of_all o
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND c.relpersistence <> 't'

-- name: published_schemas
SELECT DISTINCT c.oid::bigint FROM pg_publication p
JOIN pg_publication_namespace n ON n.pnpubid = p.oid
JOIN pg_class c ON c.relnamespace = n.pnnspid AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
WHERE p.pubupdate OR p.pubdelete

-- name: columns
-- A default names no column, and is written faster if the table need not be looked at for it.
SELECT a.attrelid::bigint, a.attnum::int, a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid::bigint,
       a.atttypmod, a.attcollation::bigint,
       a.attnotnull,
       CASE WHEN a.atthasdef THEN pg_get_expr(d.adbin, CASE WHEN a.attgenerated = '' THEN 0::oid ELSE d.adrelid END) END,
       a.attidentity::text, a.attgenerated::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')

-- name: indexes
SELECT i.indexrelid::bigint, n.nspname, x.relname, i.indrelid::bigint, m.amname, i.indisunique, i.indisprimary,
       i.indisvalid AND i.indisready AND i.indislive, i.indimmediate,
       i.indkey::text, i.indnkeyatts::int, i.indclass::text, i.indcollation::text, i.indoption::text,
       CASE WHEN i.indexprs IS NOT NULL THEN pg_get_expr(i.indexprs, i.indrelid) END,
       CASE WHEN i.indpred IS NOT NULL THEN pg_get_expr(i.indpred, i.indrelid) END,
       i.indisreplident, i.indisclustered, x.relpages::bigint * current_setting('block_size')::bigint,
       x.relispartition, x.relkind = 'I'
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid AND x.relpersistence <> 't'
JOIN pg_am m ON m.oid = x.relam
JOIN pg_namespace n ON n.oid = x.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')

-- name: nulls_not_distinct
SELECT indexrelid::bigint FROM pg_index WHERE indisunique AND indnullsnotdistinct

-- name: constraints
-- That a column is NOT NULL it says itself. To write a CHECK as SQL the server opens its table, which takes longer than
-- all else here together; of one that holds nobody asks more than whether it says IS NOT NULL.
SELECT c.oid::bigint, c.conname, c.contype::text, c.conrelid::bigint, c.contypid::bigint, c.convalidated,
       c.conkey, c.confrelid::bigint,
       c.confkey, c.confmatchtype = 'f', c.confdeltype::text, c.confupdtype::text,
       c.conindid::bigint,
       CASE WHEN c.conbin IS NOT NULL AND (NOT c.convalidated OR c.conbin::text LIKE '%{NULLTEST %')
            THEN pg_get_expr(c.conbin, c.conrelid) END,
       c.conparentid::bigint
FROM pg_constraint c
JOIN pg_namespace n ON n.oid = c.connamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lockgate')
  AND c.contype <> 't' AND (c.contype <> 'n' OR NOT c.convalidated)

-- name: not_enforced
SELECT oid::bigint FROM pg_constraint WHERE contype IN ('c', 'f') AND NOT conenforced

-- name: types
-- Without the types of tables' rows and arrays of them: no column of a table that a migration makes is likely to be one.
SELECT t.oid::bigint, n.nspname, t.typname, t.typtype::text, t.typcategory::text, t.typbasetype::bigint, t.typtypmod,
       CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END::bigint, t.typarray::bigint, t.typnotnull, t.typdefault,
       t.typcollation::bigint,
       CASE WHEN t.typtype = 'e' THEN
           ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) END
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class rows ON rows.reltype = CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END
                       AND rows.reltype <> 0 AND rows.relkind <> 'c'
WHERE rows.oid IS NULL AND n.nspname !~ '^pg_t'

-- name: casts
SELECT castsource::bigint, casttarget::bigint, castmethod::text, castcontext::text FROM pg_cast

-- name: equals
-- Which types the index of a key can compare.
SELECT DISTINCT o.amoplefttype::bigint, o.amoprighttype::bigint
FROM pg_amop o JOIN pg_am m ON m.oid = o.amopmethod AND m.amname = 'btree'
WHERE o.amopstrategy = 3

-- name: functions
-- Those of the server without what only matters for functions that can be replaced.
SELECT p.oid::bigint, n.nspname, p.proname, p.prokind::text, p.provolatile::text, l.lanname, p.pronargs::int,
       p.pronargdefaults::int, p.provariadic <> 0,
       CASE WHEN n.nspname <> 'pg_catalog' THEN p.oid::regprocedure::text END,
       CASE WHEN n.nspname <> 'pg_catalog' AND l.lanname NOT IN ('c', 'internal') THEN p.prosrc END,
       CASE WHEN n.nspname <> 'pg_catalog' THEN p.proargtypes::oid[]::bigint[] END
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname NOT IN ('information_schema', 'lockgate')

-- name: uses
-- What the catalog knows to use a table, a column of it, or a function: not the parts of the table itself, but for those
-- that are computed (generated columns, and what is indexed or checked by a function).
WITH raw AS (
    SELECT DISTINCT d.classid, d.objid, d.refclassid, d.refobjid, d.refobjsubid
    FROM pg_depend d
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid >= 16384
      AND d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass, 'pg_trigger'::regclass,
                        'pg_publication_rel'::regclass)
    UNION ALL
    SELECT DISTINCT d.classid, d.objid, d.refclassid, d.refobjid, d.refobjsubid
    FROM pg_depend d
    JOIN pg_attrdef a ON a.oid = d.objid
    JOIN pg_attribute g ON g.attrelid = a.adrelid AND g.attnum = a.adnum AND g.attgenerated <> ''
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.adrelid
      AND d.refobjsubid NOT IN (0, a.adnum)
    UNION ALL
    SELECT DISTINCT d.classid, d.objid, d.refclassid, d.refobjid, 0
    FROM pg_depend d
    WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid >= 16384
      AND d.classid IN ('pg_class'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass)
), named AS (
    SELECT raw.*, coalesce(r.ev_class, p.polrelid, t.tgrelid, b.prrelid, a.adrelid, x.indrelid, c.conrelid, 0) AS home,
           r.rulename, f.pronamespace,
           coalesce(t.tgisinternal, false) OR coalesce(r.rulename = '_RETURN' AND r.ev_class = raw.refobjid, false) AS own
    FROM raw
    LEFT JOIN pg_rewrite r ON raw.classid = 'pg_rewrite'::regclass AND r.oid = raw.objid
    LEFT JOIN pg_policy p ON raw.classid = 'pg_policy'::regclass AND p.oid = raw.objid
    LEFT JOIN pg_trigger t ON raw.classid = 'pg_trigger'::regclass AND t.oid = raw.objid
    LEFT JOIN pg_publication_rel b ON raw.classid = 'pg_publication_rel'::regclass AND b.oid = raw.objid
    LEFT JOIN pg_attrdef a ON raw.classid = 'pg_attrdef'::regclass AND a.oid = raw.objid
    LEFT JOIN pg_index x ON raw.classid = 'pg_class'::regclass AND x.indexrelid = raw.objid
    LEFT JOIN pg_constraint c ON raw.classid = 'pg_constraint'::regclass AND c.oid = raw.objid
    LEFT JOIN pg_proc f ON f.oid = coalesce(t.tgfoid, CASE WHEN raw.classid = 'pg_proc'::regclass THEN raw.objid END)
)
SELECT i.type, i.identity, named.home::bigint,
       CASE WHEN refclassid = 'pg_class'::regclass THEN refobjid ELSE 0 END::bigint, refobjsubid,
       CASE WHEN refclassid = 'pg_proc'::regclass THEN refobjid ELSE 0 END::bigint
FROM named
LEFT JOIN pg_namespace n ON n.oid = named.pronamespace
CROSS JOIN LATERAL pg_identify_object(
    CASE WHEN rulename = '_RETURN' THEN 'pg_class'::regclass ELSE classid END,
    CASE WHEN rulename = '_RETURN' THEN home ELSE objid END, 0) AS i
WHERE NOT own AND n.nspname IS DISTINCT FROM 'lockgate' AND i.identity IS NOT NULL
ORDER BY 1, 2

-- name: triggers
SELECT t.tgrelid::bigint, t.tgname, t.tgfoid::bigint, t.tgenabled::text
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND n.nspname <> 'lockgate'
ORDER BY t.tgname

-- name: grants
-- Who else than the owner may do something with a view, or with columns of it.
WITH views AS (
    SELECT c.oid, c.relowner, c.relacl, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), granted AS (
    SELECT v.oid, v.relowner, v.name, '' AS columns, g.* FROM views v CROSS JOIN LATERAL aclexplode(v.relacl) g
    UNION ALL
    SELECT v.oid, v.relowner, v.name, format(' (%I)', a.attname), g.*
    FROM views v JOIN pg_attribute a ON a.attrelid = v.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    CROSS JOIN LATERAL aclexplode(a.attacl) g
)
SELECT oid::bigint, array_agg(DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END::text),
       array_agg(DISTINCT 'GRANT ' || privilege_type || columns || ' ON ' || name || ' TO '
                          || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
                          || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM granted
WHERE grantee <> relowner
GROUP BY oid

-- name: extensions
SELECT extname FROM pg_extension

-- name: opclasses
-- For which types a kind of index knows what to do without being told.
SELECT m.amname, c.opcintype::bigint, c.oid::bigint FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod WHERE c.opcdefault
