SELECT a.attnum::int AS number, a.attname AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       -- As a type of its own, without what a domain or a length demands of it.
       pg_catalog.format_type(base.oid, -1) AS plain_type,
       pg_catalog.format_type(
           base.oid, CASE WHEN element.oid IN ('bit'::regtype, 'varbit'::regtype) THEN -1 ELSE base.modifier END
       ) AS held_type,
       CASE WHEN element.oid IN ('varchar'::regtype, 'bpchar'::regtype) AND base.modifier > 4
            THEN base.modifier - 4 END AS length,
       a.atttypid::bigint AS type_oid, base.oid::bigint AS base_type_oid,
       a.attnotnull AS not_null, a.attgenerated::text AS generated, a.attidentity::text AS identity,
       a.atthasdef OR t.typdefault IS NOT NULL AS has_default,
       CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS expression,
       coalesce(
           ARRAY(SELECT dep.refobjsubid FROM pg_catalog.pg_depend dep
                 WHERE a.attgenerated <> '' AND dep.classid = 'pg_catalog.pg_attrdef'::regclass AND dep.objid = d.oid
                   AND dep.refobjid = a.attrelid AND dep.refobjsubid > 0 AND dep.refobjsubid <> a.attnum),
           '{}') AS inputs,
       -- Types whose equality sees every difference: their own hash is exact and fast. All others go by their text.
       (base.typname = ANY (ARRAY['bool', 'int2', 'int4', 'int8', 'oid', 'uuid', 'bytea', 'date', 'timestamp',
                                  'timestamptz', 'time', 'char', 'name', 'macaddr'])
           AND bn.nspname = 'pg_catalog')
       OR base.typtype = 'e'
       OR (base.typname IN ('text', 'varchar') AND bn.nspname = 'pg_catalog'
           AND coalesce((SELECT co.collisdeterministic FROM pg_catalog.pg_collation co
                         WHERE co.oid = a.attcollation), true))
           AS exact_hash,
       -- Whether the type has a hash that is equal for equal values, however they are stored.
       element.typtype IN ('e', 'r', 'm') OR EXISTS (
           SELECT 1 FROM pg_catalog.pg_opclass opc
           JOIN pg_catalog.pg_am am ON am.oid = opc.opcmethod AND am.amname = 'hash'
           WHERE opc.opcdefault AND opc.opcintype = element.oid) AS hashable,
       coalesce((SELECT co.collisdeterministic FROM pg_catalog.pg_collation co WHERE co.oid = a.attcollation), true)
           AS deterministic,
       coalesce((SELECT pg_catalog.format('%%I.%%I', con.nspname, co.collname) FROM pg_catalog.pg_collation co
                 JOIN pg_catalog.pg_namespace con ON con.oid = co.collnamespace
                 WHERE co.oid = a.attcollation), '') AS collation
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
JOIN LATERAL (
    WITH RECURSIVE unwrapped AS (
        SELECT t.oid, t.typtype, t.typbasetype, t.typname, t.typnamespace, t.typcategory, t.typelem,
               t.typtypmod, a.atttypmod AS modifier
        UNION ALL
        SELECT b.oid, b.typtype, b.typbasetype, b.typname, b.typnamespace, b.typcategory, b.typelem,
               b.typtypmod, u.typtypmod
        FROM unwrapped u JOIN pg_catalog.pg_type b ON b.oid = u.typbasetype WHERE u.typtype = 'd')
    SELECT * FROM unwrapped WHERE typtype <> 'd') base ON true
JOIN pg_catalog.pg_type element ON element.oid = CASE base.typcategory WHEN 'A' THEN base.typelem ELSE base.oid END
JOIN pg_catalog.pg_namespace bn ON bn.oid = base.typnamespace
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
