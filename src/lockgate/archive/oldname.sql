-- name: rights
-- What is asked of a table before a view takes its name: whether this role and the owner may make one there, whether
-- rows are hidden from some, and whether there is a column at all.
SELECT pg_catalog.pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS row_security, c.relnatts > 0 AND EXISTS (
           SELECT FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS has_columns,
       pg_catalog.has_schema_privilege(c.relnamespace, 'CREATE') AS may_create,
       pg_catalog.has_schema_privilege(c.relowner, c.relnamespace, 'CREATE') AS owner_may_create,
       (SELECT pg_catalog.string_agg(DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC'
                                                   ELSE pg_catalog.pg_get_userbyid(x.grantee) END, ', ')
        FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS x
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND x.privilege_type = 'SELECT') AS readers_of_columns
FROM pg_catalog.pg_class c WHERE c.oid = %(oid)s

-- name: columns
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

-- name: read_by
-- Which of these tables a view reads.
SELECT DISTINCT pg_catalog.format('%%I.%%I', n.nspname, c.relname)
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE r.ev_class = %(view)s::pg_catalog.regclass AND c.oid = ANY (%(oids)s::oid[]) ORDER BY 1

-- name: strangers
-- Who has rights on a view by default privileges of the schema.
SELECT DISTINCT x.grantee::bigint, pg_catalog.pg_get_userbyid(x.grantee)
FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS x
WHERE c.oid = %(oid)s AND x.grantee <> c.relowner ORDER BY 1

-- name: grants
-- Who may read and write a table and its columns, but for its owner, who may do all.
SELECT x.privilege_type AS privilege, x.grantee::bigint AS grantee, pg_catalog.pg_get_userbyid(x.grantee) AS role,
       x.is_grantable AS grantable, of_column.attname AS column_name
FROM pg_catalog.pg_class c
JOIN (SELECT a.attrelid, a.attname, a.attacl AS acl, a.attnum FROM pg_catalog.pg_attribute a
      WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attacl IS NOT NULL
      UNION ALL SELECT oid, NULL, relacl, 0 FROM pg_catalog.pg_class WHERE relacl IS NOT NULL
) AS of_column ON of_column.attrelid = c.oid
CROSS JOIN LATERAL pg_catalog.aclexplode(of_column.acl) AS x
WHERE c.oid = %(oid)s AND x.grantee <> c.relowner AND x.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
ORDER BY of_column.attnum, x.grantee, x.privilege_type

-- name: defaults
-- Defaults of columns, but for those by which a sequence of the table itself numbers: it goes when the table does.
SELECT a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
FROM pg_catalog.pg_attrdef d
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE d.adrelid = %(oid)s AND a.attgenerated = '' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend p
    JOIN pg_catalog.pg_depend o ON o.classid = p.refclassid AND o.objid = p.refobjid AND o.refobjid = d.adrelid
        AND o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.deptype IN ('a', 'i')
    WHERE p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND p.objid = d.oid
      AND p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
ORDER BY a.attnum

-- name: numbered
-- Columns that the table numbers by itself.
SELECT a.attname
FROM pg_catalog.pg_depend o
JOIN pg_catalog.pg_class s ON s.oid = o.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_attribute a ON a.attrelid = o.refobjid AND a.attnum = o.refobjsubid
WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.refobjid = %(oid)s AND o.deptype IN ('a', 'i')
ORDER BY a.attnum

-- name: keep
UPDATE lockgate.archived SET answered_by = %(answered_by)s, view_id = v.id, view_text = lockgate.text_of_view(v.id)
FROM (SELECT %(view)s::pg_catalog.regclass::oid AS id) AS v WHERE relid = %(relid)s

-- name: left
-- What was left at the old names of tables, and whether it is there as it was left.
SELECT a.relid::bigint AS relid, a.from_schema, a.name, a.answered_by, v.oid::bigint AS oid, n.nspname AS schema_now,
       v.relname AS name_now, coalesce(n.nspname = a.from_schema AND v.relname = a.name
                                       AND lockgate.text_of_view(v.oid) = a.view_text, false) AS untouched,
       'view ' || named.identity AS title,
       ARRAY(SELECT 'function ' || f.identity
             FROM pg_catalog.pg_proc p
             CROSS JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0) AS f
             WHERE p.proname ~ pg_catalog.format('^lockgate_instead_%%s_(insert|update|delete)$', a.relid)
               AND p.pronamespace = home.oid ORDER BY 1) AS functions
FROM lockgate.archived a
JOIN pg_catalog.pg_namespace home ON home.nspname = a.from_schema
LEFT JOIN pg_catalog.pg_class v ON v.oid = a.view_id AND v.relkind = 'v'
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
LEFT JOIN LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::pg_catalog.regclass, v.oid, 0) AS named
    ON v.oid IS NOT NULL
WHERE a.answered_by IS NOT NULL AND (%(relids)s::oid[] IS NULL OR a.relid = ANY (%(relids)s::oid[]))
ORDER BY a.from_schema, a.name

-- name: holder
-- What has a name that a table is to have: its kind.
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence'
       ELSE 'table' END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.oid <> %(oid)s

-- name: trigger_function
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = %(schema)s AND p.proname = %(name)s AND p.pronargs = 0
      AND p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype)
