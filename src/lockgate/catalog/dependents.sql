-- What depends directly on the things asked for. Not: what is a part of a table that is known already (its defaults,
-- constraints, indexes), what the server made for itself, and what is Lockgate's.
WITH raw AS (
    SELECT DISTINCT d.refclassid, d.refobjid, d.classid, d.objid,
           CASE WHEN d.classid = 'pg_catalog.pg_class'::regclass THEN d.objsubid ELSE 0 END AS objsubid,
           d.deptype::text AS deptype
    FROM unnest(%(classes)s::oid[], %(oids)s::oid[]) AS asked (class, oid)
    JOIN pg_catalog.pg_depend d ON d.refclassid = asked.class AND d.refobjid = asked.oid
    WHERE d.classid <> 'pg_catalog.pg_statistic_ext'::regclass
), placed AS (
    SELECT raw.*, seen.oid AS of_seen, r.rulename, k.relkind,
           coalesce(nullif(c.conrelid, 0), a.adrelid, x.indrelid, t.tgrelid, r.ev_class, p.polrelid) AS home,
           coalesce(k.relnamespace, f.pronamespace, tf.pronamespace) AS schema,
           coalesce(t.tgisinternal, false) OR tp.oid IS NOT NULL OR cp.oid IS NOT NULL AS derived
    FROM raw
    LEFT JOIN pg_catalog.pg_constraint c
           ON raw.classid = 'pg_catalog.pg_constraint'::regclass AND c.oid = raw.objid
    LEFT JOIN pg_catalog.pg_constraint cp ON cp.oid = c.conparentid AND cp.confrelid = ANY (%(seen)s::oid[])
    LEFT JOIN pg_catalog.pg_attrdef a ON raw.classid = 'pg_catalog.pg_attrdef'::regclass AND a.oid = raw.objid
    LEFT JOIN pg_catalog.pg_trigger t ON raw.classid = 'pg_catalog.pg_trigger'::regclass AND t.oid = raw.objid
    LEFT JOIN pg_catalog.pg_proc tf ON tf.oid = t.tgfoid
    LEFT JOIN pg_catalog.pg_trigger tp ON tp.oid = t.tgparentid AND tp.tgrelid = ANY (%(seen)s::oid[])
    LEFT JOIN pg_catalog.pg_rewrite r ON raw.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = raw.objid
    LEFT JOIN pg_catalog.pg_policy p ON raw.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = raw.objid
    LEFT JOIN pg_catalog.pg_proc f ON raw.classid = 'pg_catalog.pg_proc'::regclass AND f.oid = raw.objid
    LEFT JOIN pg_catalog.pg_class k ON raw.classid = 'pg_catalog.pg_class'::regclass AND k.oid = raw.objid
    LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = k.oid
    LEFT JOIN unnest(%(seen)s::oid[]) AS seen (oid)
           ON seen.oid = coalesce(nullif(c.conrelid, 0), a.adrelid, x.indrelid, k.oid)
), things AS (
    SELECT placed.refclassid, placed.refobjid, placed.home, placed.deptype,
           CASE WHEN rulename = '_RETURN' THEN 'pg_catalog.pg_class'::regclass ELSE classid END AS classid,
           CASE WHEN rulename = '_RETURN' THEN home ELSE objid END AS objid,
           CASE WHEN rulename = '_RETURN' OR relkind IN ('v', 'm') THEN 0 ELSE objsubid END AS objsubid
    FROM placed
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = placed.schema
    WHERE placed.of_seen IS NULL AND NOT placed.derived AND n.nspname IS DISTINCT FROM 'lockgate'
    AND relkind IS DISTINCT FROM 't'
    AND NOT coalesce(rulename = '_RETURN' AND home = refobjid, false)
    -- The other partitions of a table above, or its other heirs, have nothing to do with what is asked.
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i
                    WHERE classid = 'pg_catalog.pg_class'::regclass AND objsubid = 0
                    AND i.inhrelid = objid AND i.inhparent = refobjid)
)
SELECT DISTINCT things.classid::bigint AS class, things.objid::bigint AS oid,
       named.type AS type, named.identity AS name,
       below.identity AS hangs_on,
       -- The type of a table's rows, and of arrays of them, is made with the table.
       things.classid = 'pg_catalog.pg_type'::regclass AND things.deptype = 'i' AS silent,
       coalesce(things.home = things.refobjid, false) AS within
FROM things
CROSS JOIN LATERAL pg_catalog.pg_identify_object(things.classid, things.objid, things.objsubid) AS named
CROSS JOIN LATERAL pg_catalog.pg_identify_object(things.refclassid, things.refobjid, 0) AS below
WHERE named.identity IS NOT NULL
ORDER BY type, name, hangs_on
